// Two whole nodes in one process on CAF's real scheduler, over one fake log, one fake database and the rows by which
// they share the slots: nodes that join, are told to go and vanish, while clients send. Run under ThreadSanitizer by
// `scripts/test tsan`. Waiting is polling with a deadline.
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <fmt/format.h>
#include <future>
#include <thread>

#include "actors/message_types.hpp"
#include "actors/node_agent/node_agent.hpp"
#include "models/slot/shared_data.hpp"
#include "tests/support/fake_cluster_store.hpp"
#include "tests/support/fake_event_log.hpp"
#include "tests/support/fake_stores.hpp"

using namespace pulse;
using namespace std::chrono_literals;

namespace {

constexpr int tenants = 6;
constexpr int slots = 4;
constexpr std::int64_t term_ms = 1500;

template <class Check>
bool eventually(Check check, std::chrono::seconds limit = 60s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!check()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::yield();
  }
  return true;
}

/// The one log that all nodes write to and read, with each node's own wakes.
struct shared_log {
  testing::fake_event_log log{slots};
  std::mutex mutex;
  std::map<std::pair<int, slot_id>, std::function<void()>> wakes;

  void wake(slot_id slot) {
    std::vector<std::function<void()>> all;
    {
      const std::lock_guard hold(mutex);
      for (const auto& [who, wake] : wakes)
        if (who.second == slot)
          all.push_back(wake);
    }
    for (const auto& wake : all)
      wake();
  }
};

class log_of_node final : public event_log {
public:
  log_of_node(shared_log& shared, int node) : shared_(shared), node_(node) {
  }

  log_generation generation() const override {
    return shared_.log.generation();
  }

  int slots() const override {
    return shared_.log.slots();
  }

  void append(log_topic topic, slot_id slot, std::vector<log_entry> entries, append_done done) override {
    shared_.log.append(topic, slot, std::move(entries), std::move(done));
    shared_.wake(slot);
  }

  result<std::vector<log_record>> read(log_topic topic, slot_id slot, log_offset from, std::size_t records_max,
                                       std::size_t bytes_max) override {
    return shared_.log.read(topic, slot, from, records_max, bytes_max);
  }

  log_offset end(log_topic topic, slot_id slot) const override {
    return shared_.log.end(topic, slot);
  }

  log_offset begin(log_topic topic, slot_id slot) const override {
    return shared_.log.begin(topic, slot);
  }

  result<void> trim(slot_id, log_offset) override {
    return {};
  }

  void on_appended(slot_id slot, std::function<void()> wake) override {
    const std::lock_guard hold(shared_.mutex);
    if (wake)
      shared_.wakes[{node_, slot}] = std::move(wake);
    else
      shared_.wakes.erase({node_, slot});
  }

  result<void> healthy() const override {
    return {};
  }

private:
  shared_log& shared_;
  int node_;
};

/// The rows, one caller at a time.
struct shared_rows {
  shared_rows() {
    rows.slots = slots;
    rows.term_ms = term_ms;
  }

  test::fake_cluster_rows rows;
  std::mutex mutex;
};

class locked_store final : public cluster_store {
public:
  explicit locked_store(std::shared_ptr<shared_rows> rows) :
    rows_(std::move(rows)), store_(rows_->rows, [] { return system_clock().now(); }) {
  }

  result<cluster::view> look() override {
    const std::lock_guard hold(rows_->mutex);
    return store_.look();
  }

  result<void> join(const cluster::node_row& self, const std::string& previous) override {
    const std::lock_guard hold(rows_->mutex);
    return store_.join(self, previous);
  }

  result<cluster::view> beat(const node_run& me, cluster::node_state state, double load,
                             const std::vector<cluster::held_lease>& leases) override {
    const std::lock_guard hold(rows_->mutex);
    return store_.beat(me, state, load, leases);
  }

  result<std::vector<cluster::held_lease>> take(const node_run& me,
                                                const std::vector<cluster::held_lease>& leases) override {
    const std::lock_guard hold(rows_->mutex);
    return store_.take(me, leases);
  }

  result<void> release(const node_run& me, slot_id slot, epoch under) override {
    const std::lock_guard hold(rows_->mutex);
    return store_.release(me, slot, under);
  }

  result<std::int64_t> place(const node_run& me, epoch leader,
                             const std::vector<cluster::assignment>& assignments) override {
    const std::lock_guard hold(rows_->mutex);
    return store_.place(me, leader, assignments);
  }

  result<void> ask_drain(const node_id& node) override {
    const std::lock_guard hold(rows_->mutex);
    return store_.ask_drain(node);
  }

  result<std::vector<past_move>> history(std::int64_t max) override {
    const std::lock_guard hold(rows_->mutex);
    return store_.history(max);
  }

private:
  std::shared_ptr<shared_rows> rows_;
  test::fake_cluster_store store_;
};

/// A node without a port: it sees the others in the rows only.
struct running_node {
  running_node(int number, shared_log& shared, std::shared_ptr<shared_rows> rows,
               std::shared_ptr<test::fake_database> db) :
    log(shared, number) {
    config.set("caf.scheduler.max-threads", 2);
    system.emplace(config);
    auto c = std::make_shared<actor_context>(actor_context{log,
                                                           numbers,
                                                           system_clock(),
                                                           system_random(),
                                                           nullptr,
                                                           {},
                                                           {},
                                                           {},
                                                           {},
                                                           730 * day_ms,
                                                           300'000,
                                                           1,
                                                           {},
                                                           nullptr,
                                                           {},
                                                           {},
                                                           false});
    c->shared = std::make_shared<const slot::shared_data>(enrichment_data{}, nullptr);
    c->make_slot_store = [db] {
      return std::make_unique<test::fake_slot_store>(db);
    };
    c->make_control_store = [db] {
      return std::make_unique<test::fake_control_store>(db);
    };
    c->slot_config.read_interval_ms = 1;
    c->fatal = [this](const std::string&) {
      died = true;
    };
    const auto gate = std::make_shared<lease_gate>();
    c->gate = gate;
    cluster::keeper_config k;
    k.self.id = node_id{fmt::format("node-{}", number)};
    k.self.incarnation = k.self.id.value + "-1";
    k.term_ms = term_ms;
    cluster_part part{{std::move(k), std::make_shared<locked_store>(std::move(rows)), gate, system_clock()},
                      {},
                      [](const peer_actor&) -> result<std::string> { return std::string(); },
                      system_random(),
                      [](bool) {},
                      [] {
                      }};
    agent = system->spawn<node_agent>(context_ptr(c), std::move(part));
    caf::anon_send(agent, join_atom_v);
  }

  ~running_node() {
    caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
    agent = nullptr;
    system->await_all_actors_done();
  }

  bool send(int tenant, const std::string& id) {
    auto answered = std::make_shared<std::promise<bool>>();
    auto done = answered->get_future();
    auto request = std::make_shared<ingest_request>();
    request->tenant = tenant_id{tenant};
    request->body = fmt::format(R"([{{"type":"track","event":"A","userId":"u","messageId":"{}","timestamp":"{}"}}])",
                                id, format_time(system_clock().now()));
    auto once = std::make_shared<std::atomic<bool>>(false);
    request->done = [answered, once](const ingest_reply& r) {
      if (!once->exchange(true))
        answered->set_value(!r.failed.has_value());
    };
    caf::anon_send(agent, ingest_atom_v, std::move(request));
    return done.wait_for(5s) == std::future_status::ready && done.get();
  }

  std::size_t serving() {
    caf::scoped_actor self(*system);
    std::size_t n = 0;
    self->request(agent, 10s, status_atom_v)
        .receive(
            [&](const statuses_ptr& found) {
              for (const auto& s : *found)
                n += s.state == "serving" ? 1 : 0;
            },
            [](const caf::error& e) { FAIL(caf::to_string(e)); });
    return n;
  }

  bool drain() {
    caf::scoped_actor self(*system);
    bool done = false;
    self->request(agent, 30s, drain_atom_v)
        .receive([&] { done = true; },
                 [](const caf::error&) {
                   // Told by the answer.
                 });
    return done;
  }

  caf::actor_system_config config;
  log_of_node log;
  metrics numbers;
  std::atomic<bool> died{false};
  std::optional<caf::actor_system> system;
  node_root_actor agent;
};

struct world {
  world() {
    register_message_types();
    for (int t = 1; t <= tenants; ++t)
      db->add_tenant(t, t % slots);
  }

  bool all_stored() {
    for (int s = 0; s < slots; ++s) {
      const std::lock_guard hold(db->mutex);
      if (db->positions[slot_id{s}].first != log.log.end(log_topic::raw, slot_id{s}))
        return false;
    }
    return true;
  }

  shared_log log;
  std::shared_ptr<shared_rows> rows = std::make_shared<shared_rows>();
  std::shared_ptr<test::fake_database> db = std::make_shared<test::fake_database>();
};

} // namespace

TEST_CASE("nodes share the slots, hand them over and take them over, and what was acknowledged is stored once",
          "[threads][cluster][f:11.2]") {
  world w;
  auto a = std::make_unique<running_node>(1, w.log, w.rows, w.db);
  REQUIRE(eventually([&] { return a->serving() == slots; }));
  std::atomic<bool> stop{false};
  std::atomic<running_node*> door{a.get()};
  std::set<std::string> acked;
  std::thread client([&] {
    for (int i = 0; !stop; ++i) {
      const auto id = fmt::format("m{}", i);
      if (door.load()->send(1 + i % tenants, id))
        acked.insert(id);
    }
  });
  // Joins, and takes its share.
  auto b = std::make_unique<running_node>(2, w.log, w.rows, w.db);
  CHECK(eventually([&] { return a->serving() == slots / 2 && b->serving() == slots / 2; }));
  // Vanishes, without a word to the others.
  door = a.get();
  b.reset();
  CHECK(eventually([&] { return a->serving() == slots; }));
  // Another joins, and the first one is told to go.
  auto c = std::make_unique<running_node>(3, w.log, w.rows, w.db);
  CHECK(eventually([&] { return c->serving() == slots / 2; }));
  door = c.get();
  CHECK(a->drain());
  CHECK(a->serving() == 0);
  CHECK(eventually([&] { return c->serving() == slots; }));
  stop = true;
  client.join();
  REQUIRE(eventually([&] { return w.all_stored(); }));
  CHECK_FALSE(a->died);
  CHECK_FALSE(c->died);
  std::multiset<std::string> stored;
  {
    const std::lock_guard hold(w.db->mutex);
    for (const auto& [key, p] : w.db->events)
      stored.insert(p.event.message_id);
  }
  CHECK(acked.size() > 50);
  for (const auto& id : acked)
    CHECK(stored.count(id) == 1);
}
