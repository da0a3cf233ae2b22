// The leader's memory of what it moved, by one keeper and answers made by hand.
#include <catch2/catch_test_macros.hpp>

#include <set>

#include "models/cluster/keeper.hpp"

using namespace pulse;
using namespace pulse::cluster;

namespace {

constexpr std::int64_t db_ms = 1'790'000'000'000;
const node_id self{"a"}, other{"b"};

lease_row lease(std::int32_t slot, const node_id& holder, const std::string& run, std::int64_t now, double load) {
  lease_row l;
  l.slot = slot_id{slot};
  l.holder = l.heading = holder;
  l.incarnation = run;
  l.epoch = epoch{1};
  l.expires = time_ms{db_ms + now + 3000};
  l.load = load;
  return l;
}

/// Two nodes; this one leads and holds the slots of `mine`, the other one the other slots of 0 to 5.
view seen(std::int64_t now, const std::set<int>& mine, double load) {
  view v;
  v.now = time_ms{db_ms + now};
  for (const auto& id : {self, other}) {
    node_row n;
    n.id = id;
    n.incarnation = id.value + "-1";
    n.heartbeat = v.now;
    v.nodes.push_back(n);
  }
  v.leases.push_back(lease(leader_slot.value, self, "a-1", now, 0));
  for (int s = 0; s < 6; ++s)
    v.leases.push_back(mine.contains(s) ? lease(s, self, "a-1", now, load) : lease(s, other, "b-1", now, 1));
  return v;
}

template <class Action>
const Action* find(const std::vector<action>& all) {
  for (const auto& a : all)
    if (const auto* found = std::get_if<Action>(&a))
      return found;
  return nullptr;
}

struct leader {
  keeper k;
  std::vector<action> out;

  explicit leader(keeper_config c) : k(std::move(c)) {
    k.start(0, out);
    auto v = seen(0, {}, 1);
    v.nodes.erase(v.nodes.begin());
    const auto look = find<look_action>(out)->request;
    out.clear();
    k.on_view(look, v, 1, out);
    const auto join = find<join_action>(out)->request;
    out.clear();
    k.on_joined(join, 2, out);
  }

  /// What the leader says to this view, as it is at this moment.
  std::vector<assignment> says(std::int64_t now, const std::set<int>& mine, double load) {
    k.tick(now, out);
    const auto* beat = find<beat_action>(out);
    REQUIRE(beat != nullptr);
    const auto request = beat->request;
    out.clear();
    k.on_view(request, seen(now, mine, load), now + 1, out);
    const auto* place = find<place_action>(out);
    return place == nullptr ? std::vector<assignment>() : place->assignments;
  }

  void placed(std::int64_t now) {
    const auto request = find<place_action>(out)->request;
    out.clear();
    k.on_placed(request, now, out);
  }
};

keeper_config config() {
  keeper_config c;
  c.self.id = self;
  c.self.incarnation = "a-1";
  return c;
}

} // namespace

TEST_CASE("a leader does not move a slot again that it moved a moment ago, until its load is known",
          "[cluster][f:11.9]") {
  leader l(config());
  // The first view tells it that it leads; its lease counts from a renewal of its own.
  (void)l.says(10, {0, 1, 2, 3}, 1);
  const auto first = l.says(1100, {0, 1, 2, 3}, 1);
  REQUIRE(first.size() == 1);
  const auto moved = first.front().slot;
  CHECK(first.front().to == other);
  l.placed(1110);
  // There; and now the loads are such that it should come back.
  std::set<int> mine{0, 1, 2, 3};
  mine.erase(moved.value);
  for (std::int64_t now = 1200; now < 31'000; now += 1000) {
    for (const auto& a : l.says(now, mine, 0))
      CHECK(a.slot != moved);
    l.out.clear();
  }
  bool comes_back = false;
  for (std::int64_t now = 31'200; now < 36'000; now += 1000) {
    for (const auto& a : l.says(now, mine, 0))
      comes_back |= a.slot == moved;
    l.out.clear();
  }
  CHECK(comes_back);
}
