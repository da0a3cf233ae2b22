// The lease keeper over a fake of the database, on CAF's test coordinator: virtual time, no thread, no sleep.
#include <catch2/catch_test_macros.hpp>

#include <caf/scheduler/test_coordinator.hpp>
#include <map>

#include "actors/lease_keeper/lease_keeper.hpp"
#include "actors/message_types.hpp"
#include "tests/support/fake_cluster_store.hpp"

using namespace pulse;

namespace {

class shared_clock final : public clock {
public:
  time_ms now() const override {
    return {1'790'000'000'000 + ms};
  }

  std::int64_t monotonic_ms() const override {
    return ms;
  }

  std::int64_t ms = 1000;
};

/// What a node does with the keeper's words: it takes slots and gives them up.
struct seen {
  std::map<slot_id, epoch> slots;
  int dropped = 0;
  bool leading = false;
  bool left = false;
  bool superseded = false;
};

lease_owner_actor::behavior_type owner_of(std::shared_ptr<seen> s) {
  return {
      [s](start_atom, slot_id slot, epoch e, const std::string&) { s->slots[slot] = e; },
      [s](release_atom, slot_id slot, epoch, bool graceful) {
        s->slots.erase(slot);
        s->dropped += graceful ? 0 : 1;
      },
      [s](lead_atom, bool leading) { s->leading = leading; },
      [s](left_atom, bool superseded) {
        s->left = true;
        s->superseded = superseded;
      },
      [](view_atom, const cluster_view_ptr&) {},
      [](hint_atom) {},
  };
}

struct node {
  lease_keeper_actor keeper;
  std::shared_ptr<seen> sees = std::make_shared<seen>();
  std::shared_ptr<lease_gate> gate = std::make_shared<lease_gate>();
};

struct fixture {
  fixture() {
    register_message_types();
    config.set("caf.scheduler.policy", "testing");
    system.emplace(config);
    rows.slots = 6;
  }

  ~fixture() {
    for (auto& k : keepers)
      caf::anon_send_exit(k, caf::exit_reason::user_shutdown);
    for (auto& o : owners)
      caf::anon_send_exit(o, caf::exit_reason::user_shutdown);
    keepers.clear();
    owners.clear();
    scheduler().run();
  }

  caf::scheduler::test_coordinator& scheduler() {
    return static_cast<caf::scheduler::test_coordinator&>(system->scheduler());
  }

  void run_for(std::int64_t ms) {
    for (std::int64_t i = 0; i < ms; i += 10) {
      time.ms += 10;
      scheduler().clock().advance_time(std::chrono::milliseconds(10));
      scheduler().run();
    }
  }

  node start(const std::string& name, const std::string& incarnation) {
    node n;
    auto owner = system->spawn(owner_of, n.sees);
    lease_keeper_config c{
        {}, std::make_shared<test::fake_cluster_store>(rows, [this] { return time.now(); }), n.gate, time};
    c.keeper.self.id = node_id{name};
    c.keeper.self.incarnation = incarnation;
    n.keeper = system->spawn<lease_keeper>(std::move(c), owner);
    owners.push_back(owner);
    keepers.push_back(n.keeper);
    scheduler().run();
    return n;
  }

  caf::actor_system_config config;
  shared_clock time;
  test::fake_cluster_rows rows;
  std::optional<caf::actor_system> system;
  std::vector<lease_owner_actor> owners;
  std::vector<lease_keeper_actor> keepers;
};

bool all_open(const node& n, const fixture& f) {
  for (const auto& [slot, under] : n.sees->slots)
    if (!n.gate->may_store(slot, under, f.time.ms))
      return false;
  return true;
}

} // namespace

TEST_CASE("a node alone leads and takes every slot", "[lease_keeper][f:11.1]") {
  fixture f;
  const auto a = f.start("a", "a-1");
  f.run_for(2000);
  CHECK(a.sees->leading);
  CHECK(a.sees->slots.size() == 6);
  f.run_for(20'000);
  CHECK(a.sees->slots.size() == 6);
  CHECK(a.sees->dropped == 0);
  CHECK(all_open(a, f));
}

TEST_CASE("a node that joins takes its share within five seconds, and one that drains gives all away",
          "[lease_keeper][f:11.1]") {
  fixture f;
  const auto a = f.start("a", "a-1");
  f.run_for(3000);
  const auto b = f.start("b", "b-1");
  f.run_for(5000);
  CHECK(a.sees->slots.size() == 3);
  CHECK(b.sees->slots.size() == 3);
  CHECK(all_open(b, f));
  caf::anon_send(a.keeper, drain_atom_v);
  f.run_for(5000);
  CHECK(a.sees->left);
  CHECK_FALSE(a.sees->leading);
  CHECK(a.sees->slots.empty());
  CHECK(a.sees->dropped == 0);
  CHECK(b.sees->slots.size() == 6);
  CHECK(b.sees->leading);
}

TEST_CASE("a node that vanishes is replaced within a term and five seconds", "[lease_keeper][f:11.2]") {
  fixture f;
  const auto a = f.start("a", "a-1");
  f.run_for(100);
  const auto b = f.start("b", "b-1");
  f.run_for(8000);
  REQUIRE(a.sees->leading);
  REQUIRE(b.sees->slots.size() == 3);
  caf::anon_send_exit(a.keeper, caf::exit_reason::kill);
  f.run_for(8000);
  CHECK(b.sees->leading);
  CHECK(b.sees->slots.size() == 6);
  // Its gate closed by itself before anybody took over.
  for (const auto& [slot, under] : a.sees->slots)
    CHECK_FALSE(a.gate->may_store(slot, under, f.time.ms));
}

TEST_CASE("a run that a newer one replaced is told to end, and holds nothing", "[lease_keeper][f:11.6]") {
  fixture f;
  const auto old = f.start("a", "a-1");
  f.run_for(2000);
  test::fake_cluster_store store(f.rows, [&] { return f.time.now(); });
  cluster::node_row row;
  row.id = node_id{"a"};
  row.incarnation = "a-2";
  REQUIRE(store.join(row, "a-1").ok());
  f.run_for(1500);
  CHECK(old.sees->superseded);
  CHECK(old.sees->slots.empty());
}

TEST_CASE("a slot that was fenced is given up and placed again", "[lease_keeper][f:11.6]") {
  fixture f;
  const auto a = f.start("a", "a-1");
  f.run_for(2000);
  const auto before = a.sees->slots.at(slot_id{0});
  caf::anon_send(a.keeper, fenced_atom_v, slot_id{0}, before);
  f.run_for(2000);
  REQUIRE(a.sees->slots.contains(slot_id{0}));
  CHECK(a.sees->slots.at(slot_id{0}) > before);
  CHECK_FALSE(a.gate->may_store(slot_id{0}, before, f.time.ms));
}
