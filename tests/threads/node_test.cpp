// A whole node on CAF's real scheduler over fakes of log and stores: many clients, children and supervisors killed,
// commits that fail. Run under ThreadSanitizer by `scripts/test tsan`. Waiting is polling with a deadline.
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <random>
#include <thread>

#include "actors/message_types.hpp"
#include "actors/node_agent/node_agent.hpp"
#include "tests/support/fake_event_log.hpp"
#include "tests/threads/support/node.hpp"

using namespace pulse;
using namespace pulse::test;

namespace {

constexpr int tenants = 6;
constexpr int slots = 3;

struct running_node {
  running_node() {
    register_message_types();
    for (int t = 1; t <= tenants; ++t)
      db->add_tenant(t, t % slots);
    config.set("caf.scheduler.max-threads", 3);
    system.emplace(config);
    agent = system->spawn<node_agent>(context_ptr(node_context(log, numbers, db, died, 2, true)));
  }

  ~running_node() {
    caf::anon_send_exit(agent, caf::exit_reason::user_shutdown);
    agent = nullptr;
    system->await_all_actors_done();
  }

  bool send(int tenant, const std::string& id) {
    return send_event(agent, tenant, id);
  }

  void kill_supervisor(int tenant) {
    caf::scoped_actor self(*system);
    self->request(agent, 10s, supervisor_atom_v, tenant_id{tenant})
        .receive([](const tenant_supervisor_actor& s) { caf::anon_send_exit(s, caf::exit_reason::kill); },
                 [](const caf::error& e) { FAIL(caf::to_string(e)); });
  }

  bool stored_all() {
    for (int s = 0; s < slots; ++s) {
      const std::lock_guard hold(db->mutex);
      if (db->positions[slot_id{s}].first != log.end(log_topic::raw, slot_id{s}))
        return false;
    }
    return true;
  }

  caf::actor_system_config config;
  testing::fake_event_log log{slots};
  metrics numbers;
  std::shared_ptr<fake_database> db = std::make_shared<fake_database>();
  std::atomic<bool> died{false};
  std::optional<caf::actor_system> system;
  node_agent_actor agent;
};

} // namespace

TEST_CASE("what was acknowledged is stored once while supervisors die and commits fail", "[threads][f:2.8]") {
  running_node node;
  constexpr int clients = 4, requests = 60;
  std::atomic<int> running{clients};
  std::vector<std::set<std::pair<int, std::string>>> acked(clients);
  std::vector<std::thread> threads;
  for (int c = 0; c < clients; ++c)
    threads.emplace_back([&, c] {
      for (int i = 0; i < requests; ++i) {
        const auto id = fmt::format("c{}-{}", c, i);
        const int tenant = 1 + (c + i) % tenants;
        // Safe to send again: a lost answer is no lost event.
        if (node.send(tenant, id) || node.send(tenant, id))
          acked[static_cast<std::size_t>(c)].emplace(tenant, id);
      }
      --running;
    });
  std::mt19937 chance(20261125);
  while (running > 0) {
    node.kill_supervisor(1 + static_cast<int>(chance() % tenants));
    node.db->commits_fail_next = static_cast<int>(chance() % 2);
    std::this_thread::yield();
    if (!eventually([&] { return running == 0 || chance() % 4096 == 0; }))
      break;
  }
  for (auto& t : threads)
    t.join();
  node.db->commits_fail_next = 0;
  REQUIRE(eventually([&] { return node.stored_all(); }));
  CHECK_FALSE(node.died);
  std::multiset<std::pair<int, std::string>> stored;
  {
    const std::lock_guard hold(node.db->mutex);
    for (const auto& [key, p] : node.db->events)
      stored.emplace(key.first.value, p.event.message_id);
  }
  std::size_t total = 0;
  for (const auto& of_client : acked)
    for (const auto& one : of_client) {
      ++total;
      CHECK(stored.count(one) >= 1);
    }
  CHECK(total > clients * requests / 2);
}

TEST_CASE("a drain ends while clients go on sending, and nothing that was taken is left unstored",
          "[threads][f:11.1]") {
  running_node node;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int c = 0; c < 3; ++c)
    threads.emplace_back([&, c] {
      for (int i = 0; !stop && i < 200; ++i)
        (void)node.send(1 + (c + i) % tenants, fmt::format("d{}-{}", c, i));
    });
  REQUIRE(eventually([&] { return node.db->stored() > 20; }));
  caf::scoped_actor self(*node.system);
  bool drained = false;
  self->request(node.agent, 30s, drain_atom_v)
      .receive([&] { drained = true; }, [](const caf::error& e) { FAIL(caf::to_string(e)); });
  CHECK(drained);
  stop = true;
  for (auto& t : threads)
    t.join();
  self->request(node.agent, 10s, status_atom_v)
      .receive(
          [](const statuses_ptr& found) {
            for (const auto& s : *found) {
              CHECK(s.batches_in_flight == 0);
              CHECK(s.tenants_awake == 0);
              CHECK(s.position <= s.end);
            }
          },
          [](const caf::error& e) { FAIL(caf::to_string(e)); });
  // What the position says is stored, once each; the rest is in the log.
  std::int64_t behind = 0;
  for (int s = 0; s < slots; ++s) {
    const std::lock_guard hold(node.db->mutex);
    behind += node.db->positions[slot_id{s}].first.value;
  }
  CHECK(behind == node.db->raw);
}

TEST_CASE("the status of every slot is answered while the node works", "[threads]") {
  running_node node;
  REQUIRE(node.send(1, "s1"));
  REQUIRE(eventually([&] {
    caf::scoped_actor self(*node.system);
    bool all = false;
    self->request(node.agent, 10s, status_atom_v)
        .receive(
            [&](const statuses_ptr& found) {
              all = found->size() == slots &&
                    std::all_of(found->begin(), found->end(), [](const auto& s) { return s.state == "serving"; });
            },
            [](const caf::error& e) { FAIL(caf::to_string(e)); });
    return all;
  }));
}
