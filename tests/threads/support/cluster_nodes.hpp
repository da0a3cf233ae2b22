// Whole nodes in one process on CAF's real scheduler, over one fake log, one fake database and the rows by which they
// share the slots. They see each other in the rows, and over links if they are told to have some.
#pragma once

#include <atomic>
#include <caf/io/all.hpp>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "actors/message_types.hpp"
#include "actors/node_agent/node_agent.hpp"
#include "models/event/raw_codec.hpp"
#include "tests/support/fake_cluster_store.hpp"
#include "tests/support/fake_event_log.hpp"
#include "tests/support/fake_stores.hpp"
#include "tests/threads/support/node.hpp"

namespace pulse::test {

constexpr int tenants = 6;
constexpr int slots = 4;
constexpr std::int64_t term_ms = 1500;

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

  fake_cluster_rows rows;
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
  fake_cluster_store store_;
};

/// Whether a node has a port and dials the others', over plain TCP on loopback.
enum class links { none, loopback };

struct running_node {
  running_node(int number, shared_log& shared, std::shared_ptr<shared_rows> rows, std::shared_ptr<fake_database> db,
               links with = links::none, std::int32_t wire = wire_version) :
    name(fmt::format("node-{}", number)), log(shared, number) {
    config.set("caf.scheduler.max-threads", 2);
    if (with == links::loopback) {
      config.load<caf::io::middleman>();
      config.set("caf.middleman.heartbeat-interval", caf::timespan(500ms));
      config.set("caf.middleman.connection-timeout", caf::timespan(2s));
    }
    system.emplace(config);
    auto c = node_context(log, numbers, db, died, 1, false);
    const auto gate = std::make_shared<lease_gate>();
    c->gate = gate;
    cluster::keeper_config k;
    k.self.id = node_id{name};
    k.self.incarnation = k.self.id.value + "-1";
    k.term_ms = term_ms;
    cluster_part part{{std::move(k), std::make_shared<locked_store>(std::move(rows)), gate, system_clock()},
                      with == links::none ? caf::io::middleman_actor() : system->middleman().actor_handle(),
                      [with](const peer_actor& own) -> result<std::string> {
                        if (with == links::none)
                          return std::string();
                        const auto port = own.home_system().middleman().publish(own, 0, "127.0.0.1");
                        return port ? fmt::format("127.0.0.1:{}", *port)
                                    : result<std::string>(error{ec::unavailable, caf::to_string(port.error()), ""});
                      },
                      system_random(),
                      [](bool) {},
                      [] {},
                      wire};
    agent = system->spawn<node_agent>(context_ptr(c), std::move(part));
    caf::anon_send(agent, join_atom_v);
  }

  ~running_node() {
    caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
    agent = nullptr;
    system->await_all_actors_done();
  }

  /// The tenant's child here dies over this request: whoever is to be answered throws.
  void kill_ingestion(int tenant) {
    auto request = std::make_shared<ingest_request>();
    request->tenant = tenant_id{tenant};
    request->body = "not JSON";
    request->done = [](const ingest_reply&) {
      throw std::runtime_error("killed by the test");
    };
    caf::anon_send(agent, ingest_atom_v, std::move(request));
  }

  bool send(int tenant, const std::string& id) {
    return send_event(agent, tenant, id);
  }

  cluster::census census() {
    caf::scoped_actor self(*system);
    cluster::census out;
    self->request(agent, 10s, census_atom_v, false)
        .receive([&](const std::vector<cluster::census>& here) { out = here.at(0); },
                 [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
    return out;
  }

  /// Deaths of ingestion children that supervisors on this node saw.
  std::int64_t restarts() const {
    return counted(R"(pulse_alarms_total{name="ingestion_restarted"} )");
  }

  /// Trainings that were done on this node, and came to nothing.
  std::int64_t trainings() const {
    return counted(R"(pulse_model_trainings_total{result="failed"} )");
  }

  std::int64_t counted(const std::string& series) const {
    const auto text = numbers.text();
    const auto at = text.find(series);
    return at == std::string::npos ? 0 : std::stoll(text.substr(at + series.size()));
  }

  /// What the training was answered with.
  std::string train(int tenant) {
    caf::scoped_actor self(*system);
    std::string said;
    self->request(agent, 30s, train_atom_v, tenant_id{tenant}, std::string("train"))
        .receive([&](const training_ptr& done) { said = *done ? "trained" : done->err().detail; },
                 [&](const caf::error& e) { said = caf::to_string(e); });
    return said;
  }

  /// What an event would be scored; an error's words where it is not.
  std::string score(int tenant) {
    raw_event raw;
    raw.type = "track";
    raw.test = true;
    raw.received_at = raw.occurred_at = system_clock().now();
    raw.body = R"({"type":"track","event":"Order Completed","userId":"u1","properties":{"revenue":5}})";
    caf::scoped_actor self(*system);
    std::string said;
    self->request(agent, 30s, score_atom_v, score_order{tenant_id{tenant}, {}, {encode(raw)}})
        .receive([&](const score_report& r) { said = r.ok ? r.lines.at(0).event : r.detail; },
                 [&](const caf::error& e) { said = caf::to_string(e); });
    return said;
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
            [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
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

  std::string name;
  caf::actor_system_config config;
  log_of_node log;
  metrics numbers;
  std::atomic<bool> died{false};
  std::optional<caf::actor_system> system;
  node_root_actor agent;
};

struct world {
  world() {
    static const bool once = [] {
      caf::io::middleman::init_global_meta_objects();
      return true;
    }();
    (void)once;
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
  std::shared_ptr<fake_database> db = std::make_shared<fake_database>();
};

} // namespace pulse::test
