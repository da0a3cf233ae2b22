// The contract of the cluster's rows, on the fake that the simulation uses and on Postgres: each call changes a row
// only while it is as its caller knows it.
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <fmt/format.h>

#include "postgres/cluster_store.hpp"
#include "tests/integration/support/database.hpp"
#include "tests/support/fake_cluster_store.hpp"

using namespace pulse;
using cluster::held_lease;
using cluster::leader_slot;

namespace {

constexpr std::int64_t term = 60'000;
constexpr int slots = 3;

class fake_subject {
public:
  fake_subject() {
    rows_.slots = slots;
    rows_.term_ms = term;
    rows_.position_epoch = [this](slot_id slot) {
      return slot == slot_id{2} ? position_epoch_ : 0;
    };
  }

  cluster_store& store() {
    return store_;
  }

  /// Time goes by for everybody.
  void pass(std::int64_t ms) {
    now_ += ms;
  }

  /// Somebody moved slot 2's position under this epoch.
  void move_position(std::int64_t epoch) {
    position_epoch_ = epoch;
  }

private:
  test::fake_cluster_rows rows_;
  std::int64_t now_ = 1'790'000'000'000;
  std::int64_t position_epoch_ = 0;
  test::fake_cluster_store store_{rows_, [this] {
                                    return time_ms{now_};
                                  }};
};

class postgres_subject {
public:
  cluster_store& store() {
    return store_;
  }

  /// A database's clock cannot be set: what is written is moved into the past.
  void pass(std::int64_t ms) {
    db_.sql(fmt::format("UPDATE node SET heartbeat_at = heartbeat_at - interval '{} ms'", ms));
    db_.sql(fmt::format("UPDATE slot_lease SET expires_at = expires_at - interval '{} ms'", ms));
  }

  void move_position(std::int64_t epoch) {
    db_.sql(fmt::format("INSERT INTO log_position (generation, slot, epoch) VALUES (7, 2, {})", epoch));
  }

  test::database& db() {
    return db_;
  }

private:
  test::database db_;
  postgres::pg_cluster_store store_{{db_.url(), "test", log_generation{7}, slots, term}};
};

const node_run a1{node_id{"a"}, "a-1"};
const node_run b1{node_id{"b"}, "b-1"};

cluster::node_row row_of(const node_run& run) {
  cluster::node_row n;
  n.id = run.node;
  n.incarnation = run.incarnation;
  n.address = "127.0.0.1:9000";
  n.version = "0.1.0";
  n.roles = {"slots", "gateway"};
  n.capacity = 2;
  return n;
}

cluster::lease_row lease_of(const cluster::view& v, slot_id slot) {
  const auto it = std::find_if(v.leases.begin(), v.leases.end(), [&](const auto& l) { return l.slot == slot; });
  REQUIRE(it != v.leases.end());
  return *it;
}

cluster::lease_row lease_of(cluster_store& s, slot_id slot) {
  const auto v = s.look();
  REQUIRE(v.ok());
  return lease_of(*v, slot);
}

/// Joins, takes the leader's lease; its epoch.
pulse::epoch lead(cluster_store& s, const node_run& me) {
  REQUIRE(s.join(row_of(me), "").ok());
  const auto taken = s.take(me, {{leader_slot, lease_of(s, leader_slot).epoch}});
  REQUIRE(taken.ok());
  REQUIRE(taken->size() == 1);
  return taken->front().epoch;
}

cluster::assignment to(slot_id slot, const node_run& node, pulse::epoch seen = {}) {
  return {slot, seen, {}, {}, node.node, false, 1.5, "because"};
}

/// Has a slot placed on this node and taken by it; its epoch.
pulse::epoch give(cluster_store& s, const node_run& leader, pulse::epoch lead_epoch, slot_id slot,
                  const node_run& node) {
  const auto seen = lease_of(s, slot).epoch;
  const auto placed = s.place(leader, lead_epoch, {to(slot, node, seen)});
  REQUIRE(placed.ok());
  REQUIRE(*placed == 1);
  const auto taken = s.take(node, {{slot, seen}});
  REQUIRE(taken.ok());
  REQUIRE(taken->size() == 1);
  return taken->front().epoch;
}

} // namespace

TEMPLATE_TEST_CASE("a node that joins is seen as it is, with a free lease for each slot and the leader",
                   "[cluster][f:11.1]", fake_subject, postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  CHECK(s.look()->nodes.empty());
  REQUIRE(s.join(row_of(a1), "").ok());
  const auto v = s.look();
  REQUIRE(v.ok());
  REQUIRE(v->nodes.size() == 1);
  const auto& n = v->nodes.front();
  CHECK(n.id == a1.node);
  CHECK(n.incarnation == "a-1");
  CHECK(n.address == "127.0.0.1:9000");
  CHECK(n.roles == std::vector<std::string>{"slots", "gateway"});
  CHECK(n.capacity == 2);
  CHECK(n.state == cluster::node_state::live);
  CHECK(v->now.value - n.heartbeat.value < 10'000);
  REQUIRE(v->leases.size() == slots + 1);
  for (const auto& l : v->leases)
    CHECK(cluster::is_free(l));
}

TEMPLATE_TEST_CASE("a second run joins only when it knows of the first, and frees what that held", "[cluster][f:11.1]",
                   fake_subject, postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto epoch = lead(s, a1);
  give(s, a1, epoch, slot_id{0}, a1);
  const node_run a2{node_id{"a"}, "a-2"};
  CHECK(s.join(row_of(a2), "").err().code == ec::conflict);
  CHECK(s.join(row_of(a2), "a-0").err().code == ec::conflict);
  CHECK_FALSE(cluster::is_free(lease_of(s, slot_id{0})));
  REQUIRE(s.join(row_of(a2), "a-1").ok());
  CHECK(cluster::is_free(lease_of(s, leader_slot)));
  CHECK(cluster::is_free(lease_of(s, slot_id{0})));
  CHECK(lease_of(s, slot_id{0}).taken_from == "a-1");
  // The same message, late: the first run must not come back.
  CHECK(s.join(row_of(a1), "").err().code == ec::conflict);
  CHECK(s.beat(a1, cluster::node_state::live, 0, {}).err().code == ec::fenced);
  CHECK(s.take(a1, {{leader_slot, lease_of(s, leader_slot).epoch}})->empty());
  CHECK(s.beat(a2, cluster::node_state::draining, 3, {})->nodes.front().state == cluster::node_state::draining);
}

TEMPLATE_TEST_CASE("one of two takes the leader's lease, and another when it is out", "[cluster][f:11.2]", fake_subject,
                   postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto first = lead(s, a1);
  REQUIRE(s.join(row_of(b1), "").ok());
  CHECK(s.take(b1, {{leader_slot, {}}})->empty());
  CHECK(s.take(b1, {{leader_slot, first}})->empty());
  subject.pass(term - 5000);
  CHECK(s.take(b1, {{leader_slot, first}})->empty());
  subject.pass(5001);
  const auto taken = s.take(b1, {{leader_slot, first}});
  REQUIRE(taken.ok());
  REQUIRE(taken->size() == 1);
  CHECK(taken->front().epoch > first);
  CHECK(lease_of(s, leader_slot).holder == b1.node);
  CHECK(s.place(a1, first, {to(slot_id{0}, a1)}).err().code == ec::fenced);
  // A clock that was set back does not make a lease last for ever.
  subject.pass(-3 * term);
  CHECK(s.take(a1, {{leader_slot, taken->front().epoch}})->size() == 1);
}

TEMPLATE_TEST_CASE("a slot is taken by whom it heads to, when it is free, under a higher epoch", "[cluster][f:11.2]",
                   fake_subject, postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto leader = lead(s, a1);
  REQUIRE(s.join(row_of(b1), "").ok());
  CHECK(s.take(b1, {{slot_id{0}, {}}})->empty());
  const auto mine = give(s, a1, leader, slot_id{0}, b1);
  CHECK(mine == pulse::epoch{1});
  // Again, late: it is under another epoch by now.
  CHECK(s.take(b1, {{slot_id{0}, {}}})->empty());
  CHECK(s.take(a1, {{slot_id{0}, mine}})->empty());
  // Moved elsewhere: only once it is released.
  CHECK(*s.place(a1, leader, {to(slot_id{0}, a1, mine)}) == 1);
  CHECK(s.take(a1, {{slot_id{0}, mine}})->empty());
  REQUIRE(s.release(b1, slot_id{0}, pulse::epoch{7}).ok());
  REQUIRE(s.release(a1, slot_id{0}, mine).ok());
  CHECK(lease_of(s, slot_id{0}).holder == b1.node);
  REQUIRE(s.release(b1, slot_id{0}, mine).ok());
  CHECK(lease_of(s, slot_id{0}).heading == a1.node);
  const auto taken = s.take(a1, {{slot_id{0}, mine}});
  REQUIRE(taken->size() == 1);
  CHECK(taken->front().epoch == pulse::epoch{2});
  CHECK(taken->front().taken_from.empty());
}

TEMPLATE_TEST_CASE("an epoch is above the one that the position has seen", "[cluster][f:11.6]", fake_subject,
                   postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto leader = lead(s, a1);
  subject.move_position(41);
  CHECK(give(s, a1, leader, slot_id{2}, a1) == pulse::epoch{42});
}

TEMPLATE_TEST_CASE("a beat renews what the run holds under its epoch, also when it was out", "[cluster][f:11.2]",
                   fake_subject, postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto leader = lead(s, a1);
  const auto mine = give(s, a1, leader, slot_id{1}, a1);
  subject.pass(2 * term);
  auto v = s.beat(a1, cluster::node_state::live, 4, {{slot_id{1}, mine, 4}, {leader_slot, pulse::epoch{99}, 0}});
  REQUIRE(v.ok());
  CHECK_FALSE(cluster::is_out(lease_of(*v, slot_id{1}), v->now, term));
  CHECK(lease_of(*v, slot_id{1}).load == 4);
  // Not asked for under its epoch.
  CHECK(cluster::is_out(lease_of(*v, leader_slot), v->now, term));
  CHECK(v->nodes.front().load == 4);
  CHECK(v->now.value - v->nodes.front().heartbeat.value < 10'000);
  REQUIRE(s.release(a1, slot_id{1}, mine).ok());
  CHECK(cluster::is_free(lease_of(s, slot_id{1})));
  // Its own place no more: it would take it again at once.
  CHECK(lease_of(s, slot_id{1}).heading == node_id{});
  REQUIRE(s.beat(a1, cluster::node_state::live, 4, {{slot_id{1}, mine, 4}}).ok());
  CHECK(cluster::is_free(lease_of(s, slot_id{1})));
}

TEMPLATE_TEST_CASE("a lease is taken from its holder only when it is out and as it was seen", "[cluster][f:11.5]",
                   fake_subject, postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto leader = lead(s, a1);
  REQUIRE(s.join(row_of(b1), "").ok());
  const auto theirs = give(s, a1, leader, slot_id{0}, b1);
  const auto word = [&] {
    auto a = to(slot_id{0}, a1, theirs);
    const auto l = lease_of(s, slot_id{0});
    a.expires = l.expires;
    a.from = l.holder;
    a.free = true;
    return a;
  };
  CHECK(*s.place(a1, leader, {word()}) == 0);
  // Silent by the leader's own clock, but renewed since.
  auto silent = word();
  silent.silent = true;
  subject.pass(1);
  REQUIRE(s.beat(b1, cluster::node_state::live, 0, {{slot_id{0}, theirs}}).ok());
  CHECK(*s.place(a1, leader, {silent}) == 0);
  subject.pass(term + 1);
  auto stale = word();
  REQUIRE(s.beat(b1, cluster::node_state::live, 0, {{slot_id{0}, theirs}}).ok());
  CHECK(*s.place(a1, leader, {stale}) == 0);
  CHECK(lease_of(s, slot_id{0}).holder == b1.node);
  subject.pass(term + 1);
  CHECK(*s.place(a1, leader, {word()}) == 1);
  CHECK(cluster::is_free(lease_of(s, slot_id{0})));
  const auto taken = s.take(a1, {{slot_id{0}, theirs}});
  REQUIRE(taken->size() == 1);
  CHECK(taken->front().taken_from == "b-1");
  const auto v = s.beat(b1, cluster::node_state::live, 0, {{slot_id{0}, theirs}});
  CHECK(lease_of(*v, slot_id{0}).holder == a1.node);
}

TEMPLATE_TEST_CASE("a lease that is silent is taken whatever the database's clock says", "[cluster][f:11.5]",
                   fake_subject, postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto leader = lead(s, a1);
  REQUIRE(s.join(row_of(b1), "").ok());
  const auto theirs = give(s, a1, leader, slot_id{0}, b1);
  auto word = to(slot_id{0}, a1, theirs);
  word.expires = lease_of(s, slot_id{0}).expires;
  word.free = word.silent = true;
  CHECK(*s.place(a1, leader, {word}) == 1);
  CHECK(lease_of(s, slot_id{0}).heading == a1.node);
  const auto seen = lease_of(s, leader_slot);
  CHECK(s.take(b1, {{leader_slot, leader, 0, {}, time_ms{seen.expires.value - 1}}})->empty());
  CHECK(s.take(b1, {{leader_slot, leader, 0, {}, seen.expires}})->size() == 1);
}

TEMPLATE_TEST_CASE("why a slot was moved is kept, the latest first", "[cluster][f:11.9]", fake_subject,
                   postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  const auto leader = lead(s, a1);
  give(s, a1, leader, slot_id{0}, a1);
  give(s, a1, leader, slot_id{1}, a1);
  // What was not done is not told.
  CHECK(*s.place(a1, leader, {to(slot_id{2}, a1, pulse::epoch{9})}) == 0);
  const auto moves = s.history(10);
  REQUIRE(moves.ok());
  REQUIRE(moves->size() == 2);
  CHECK(moves->front().slot == slot_id{1});
  CHECK(moves->front().to == a1.node);
  CHECK(moves->front().from == node_id{});
  CHECK(moves->front().leader == a1.node);
  CHECK(moves->front().leader_epoch == leader);
  CHECK(moves->front().load == 1.5);
  CHECK(moves->front().reason == "because");
  CHECK(s.history(1)->size() == 1);
}

TEMPLATE_TEST_CASE("which formats a run reads is known, and until when an older one ran", "[cluster][f:11.10]",
                   fake_subject, postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  REQUIRE(s.join(row_of(a1), "").ok());
  const auto first = s.look()->nodes.front();
  CHECK(first.formats == 1);
  CHECK(first.older_until == time_ms{0});
  auto newer = row_of({a1.node, "a-2"});
  newer.formats = 2;
  REQUIRE(s.join(newer, "a-1").ok());
  auto n = s.look()->nodes.front();
  CHECK(n.formats == 2);
  CHECK(n.older_until == first.heartbeat);
  // Another run of the same program changes nothing.
  newer.incarnation = "a-3";
  REQUIRE(s.join(newer, "a-2").ok());
  n = s.look()->nodes.front();
  CHECK(n.formats == 2);
  CHECK(n.older_until == first.heartbeat);
}

TEST_CASE("a run that does not say what it reads is an older one, also after a newer one", "[cluster][f:11.10]") {
  test::database db;
  postgres::pg_cluster_store s({db.url(), "test", log_generation{7}, slots, term});
  auto newer = row_of(a1);
  newer.formats = 2;
  REQUIRE(s.join(newer, "").ok());
  // As a program writes it that does not know of formats.
  db.sql("UPDATE node SET incarnation = 'a-2', heartbeat_at = clock_timestamp()");
  CHECK(s.look()->nodes.front().formats == 1);
  newer.incarnation = "a-3";
  REQUIRE(s.join(newer, "a-2").ok());
  CHECK(s.look()->nodes.front().older_until.value > 0);
}

TEMPLATE_TEST_CASE("a node is asked to drain, until its next run", "[cluster][f:11.1]", fake_subject,
                   postgres_subject) {
  TestType subject;
  auto& s = subject.store();
  CHECK(s.ask_drain(node_id{"a"}).err().code == ec::not_found);
  REQUIRE(s.join(row_of(a1), "").ok());
  REQUIRE(s.ask_drain(a1.node).ok());
  CHECK(s.look()->nodes.front().drain_wanted);
  REQUIRE(s.join(row_of({a1.node, "a-2"}), "a-1").ok());
  CHECK_FALSE(s.look()->nodes.front().drain_wanted);
  REQUIRE(s.beat({a1.node, "a-2"}, cluster::node_state::left, 0, {}).ok());
  CHECK(s.ask_drain(a1.node).err().code == ec::not_found);
}

TEST_CASE("the cluster's tables are the node role's alone", "[cluster][rls]") {
  test::database db;
  for (const auto* table : {"node", "slot_lease", "move_history"})
    for (const auto* role : {"pulse_reader", "pulse_writer", "pulse_maintenance"})
      CHECK(db.one(fmt::format("SELECT has_table_privilege('{}', '{}', 'SELECT, INSERT, UPDATE, DELETE')", role,
                               table)) == "f");
  CHECK(db.one("SELECT has_table_privilege('pulse_node', 'move_history', 'UPDATE')") == "f");
}
