// The cluster under faults from a seed: cuts, pauses, crashes, drains, clocks that drift and jump, slow peers, messages
// lost and repeated, a database that is away. PULSE_SIM_SEEDS=FROM:TO runs others.
#include <catch2/catch_test_macros.hpp>

#include <charconv>
#include <cstdlib>
#include <string>

#include "tests/support/cluster_world.hpp"

using namespace pulse;

namespace {

struct seeds {
  std::uint64_t from = 0;
  std::uint64_t to = 1000;
};

seeds asked_for() {
  seeds s;
  if (const auto* text = std::getenv("PULSE_SIM_SEEDS")) {
    const std::string_view all = text;
    const auto colon = all.find(':');
    REQUIRE(colon != std::string_view::npos);
    std::from_chars(all.data(), all.data() + colon, s.from);
    std::from_chars(all.data() + colon + 1, all.data() + all.size(), s.to);
  }
  return s;
}

bool any_fails(const test::cluster_setup& setup, std::uint64_t seeds_max) {
  for (std::uint64_t seed = 0; seed < seeds_max; ++seed)
    if (!test::cluster_world(seed, setup).run().violations.empty())
      return true;
  return false;
}

} // namespace

TEST_CASE("whatever breaks, a slot has one owner, each record is stored once, and all is owned again in time",
          "[cluster][f:11.2][f:11.5][f:11.6][f:11.7]") {
  const auto range = asked_for();
  test::cluster_outcome all;
  for (auto seed = range.from; seed < range.to; ++seed) {
    test::cluster_setup setup;
    setup.nodes = 3 + static_cast<int>(seed % 3);
    const auto outcome = test::cluster_world(seed, setup).run();
    INFO("seed " << seed << ": " << (outcome.violations.empty() ? "" : outcome.violations.front()));
    REQUIRE(outcome.violations.empty());
    all.owned_after_ms = std::max(all.owned_after_ms, outcome.owned_after_ms);
    all.takes += outcome.takes;
    all.moves += outcome.moves;
    all.steps += outcome.steps;
  }
  WARN(range.to - range.from << " seeds, " << all.steps << " steps, " << all.takes << " starts of slots, " << all.moves
                             << " moves; every slot owned at most " << all.owned_after_ms << " ms after healing");
}

TEST_CASE("the database's clock may be set back and forth", "[cluster][f:11.5][f:11.6]") {
  // Drawn from a hundred thousand: nodes that die while their heartbeats lie up to 20 s ahead, and, in the last two, a
  // lease that is renewed between a jump back and one forth.
  for (const std::uint64_t seed : {1384, 16255, 18384, 27535, 28902, 41235, 46770, 50690, 62608, 65867, 70364, 72556,
                                   77046, 82045, 94324, 99839, 60845, 66302}) {
    INFO("seed " << seed);
    test::cluster_setup setup;
    setup.nodes = 3 + static_cast<int>(seed % 3);
    const auto outcome = test::cluster_world(seed, setup).run();
    INFO((outcome.violations.empty() ? "" : outcome.violations.front()));
    CHECK(outcome.violations.empty());
  }
}

TEST_CASE("without faults a cluster settles and moves nothing any more", "[cluster][f:11.9]") {
  test::cluster_setup setup;
  setup.faults_max = 0;
  setup.lost = setup.repeated = 0;
  const auto outcome = test::cluster_world(1, setup).run();
  CHECK(outcome.violations.empty());
  // Each slot once, and what the nodes took that came later.
  CHECK(outcome.takes <= setup.slots * 2);
}

TEST_CASE("when the database was away for all, every holder goes on under its epoch", "[cluster][f:11.5]") {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    INFO("seed " << seed);
    test::cluster_setup quiet;
    quiet.faults_max = 0;
    quiet.lost = quiet.repeated = 0;
    auto away = quiet;
    away.only_database_away_ms = 500 + static_cast<std::int64_t>(seed) * 170;
    const auto outcome = test::cluster_world(seed, away).run();
    INFO((outcome.violations.empty() ? "" : outcome.violations.front()));
    REQUIRE(outcome.violations.empty());
    REQUIRE(outcome.takes == test::cluster_world(seed, quiet).run().takes);
  }
}

TEST_CASE("without the epoch check a late commit shows", "[cluster][negative]") {
  test::cluster_setup setup;
  setup.without_epoch_check = true;
  CHECK(any_fails(setup, 200));
}

TEST_CASE("a lease that is not given up early shows", "[cluster][negative]") {
  test::cluster_setup setup;
  setup.lease_kept_too_long = true;
  CHECK(any_fails(setup, 200));
}
