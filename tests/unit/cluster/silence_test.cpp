// Heartbeats against this machine's own clock.
#include <catch2/catch_test_macros.hpp>

#include "models/cluster/silence.hpp"

using namespace pulse;
using namespace pulse::cluster;

namespace {

view seen(std::int64_t now, std::int64_t heartbeat, const std::string& run = "run") {
  view v;
  v.now = time_ms{now};
  v.nodes.resize(1);
  v.nodes[0].id = node_id{"a"};
  v.nodes[0].incarnation = run;
  v.nodes[0].heartbeat = time_ms{heartbeat};
  return v;
}

} // namespace

TEST_CASE("a heartbeat from the future grows old by the clock of who sees it", "[cluster][f:11.6]") {
  silence s;
  auto first = seen(100'000, 109'000);
  s.age(first, 0, 10, 3'000);
  CHECK(first.nodes[0].heartbeat == time_ms{109'000});
  auto later = seen(104'000, 109'000);
  s.age(later, 4'000, 4'005, 3'000);
  // Unchanged from 10, when it was first seen, to 4,000, when it was asked for again.
  CHECK(later.nodes[0].heartbeat == time_ms{104'000 - 3'990});
}

TEST_CASE("whoever beats, or runs anew, is not silent, and a heartbeat is never made younger", "[cluster][f:11.6]") {
  silence s;
  auto first = seen(100'000, 109'000);
  s.age(first, 0, 10, 3'000);
  auto beaten = seen(104'000, 104'001);
  s.age(beaten, 4'000, 4'005, 3'000);
  CHECK(beaten.nodes[0].heartbeat == time_ms{104'001});
  auto anew = seen(108'000, 104'001, "another run");
  s.age(anew, 8'000, 8'005, 3'000);
  CHECK(anew.nodes[0].heartbeat == time_ms{104'001});
  auto old = seen(109'000, 50'000);
  s.age(old, 9'000, 9'005, 3'000);
  auto still_old = seen(110'000, 50'000);
  s.age(still_old, 10'000, 10'005, 3'000);
  CHECK(still_old.nodes[0].heartbeat == time_ms{50'000});
  // A question that was asked before the heartbeat was first seen tells nothing.
  auto early = seen(110'000, 50'000);
  s.age(early, 8'000, 10'006, 3'000);
  CHECK(early.nodes[0].heartbeat == time_ms{50'000});
}

TEST_CASE("a lease that stays as it is for more than a term is silent, whatever its end says", "[cluster][f:11.5]") {
  silence s;
  const auto with_lease = [](std::int64_t expires) {
    auto v = seen(100'000, 100'000);
    v.leases.resize(1);
    v.leases[0].slot = slot_id{3};
    v.leases[0].holder = node_id{"a"};
    v.leases[0].incarnation = "run";
    v.leases[0].expires = time_ms{expires};
    return v;
  };
  const auto silent_at = [&](std::int64_t expires, std::int64_t sent) {
    auto v = with_lease(expires);
    s.age(v, sent, sent + 5, 3'000);
    CHECK(is_out(v.leases[0], v.now, 3'000) == v.leases[0].silent);
    return v.leases[0].silent;
  };
  CHECK_FALSE(silent_at(105'000, 0));
  CHECK_FALSE(silent_at(105'000, 3'005));
  CHECK(silent_at(105'000, 3'006));
  CHECK_FALSE(silent_at(105'500, 3'200));
  auto free = with_lease(105'500);
  free.leases[0].holder = {};
  s.age(free, 9'000, 9'005, 3'000);
  CHECK_FALSE(free.leases[0].silent);
}
