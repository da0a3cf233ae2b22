// The load of a slot: right in the mean, and still enough for placement.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <random>

#include "models/cluster/load_meter.hpp"

using namespace pulse;

TEST_CASE("a load is told after five seconds, and is the mean of them", "[cluster][f:11.9]") {
  cluster::load_meter m;
  for (std::int64_t s = 0; s < 5; ++s)
    CHECK_FALSE(m.see(log_offset{s * 200}, 1000 * s));
  CHECK(m.see(log_offset{1000}, 5000) == 200.0);
}

TEST_CASE("a load follows what changes within two minutes", "[cluster][f:11.9]") {
  cluster::load_meter m;
  std::int64_t at = 0, position = 0;
  std::optional<double> load;
  for (; at < 60; ++at)
    load = m.see(log_offset{position += 100}, at * 1000);
  CHECK(std::abs(*load - 100) < 0.001);
  for (; at < 180; ++at)
    load = m.see(log_offset{position += 1000}, at * 1000);
  CHECK((*load > 950 && *load <= 1000));
}

TEST_CASE("traffic that comes by chance moves a load by less than placement acts upon", "[cluster][f:11.9]") {
  cluster::load_meter m;
  std::mt19937 chance(20261126);
  std::poisson_distribution<int> arrivals(100);
  double low = 1e9, high = 0;
  std::int64_t position = 0;
  for (std::int64_t at = 0; at < 600; ++at) {
    const auto load = m.see(log_offset{position += arrivals(chance)}, at * 1000);
    if (!load || at < 60)
      continue;
    low = std::min(low, *load);
    high = std::max(high, *load);
  }
  CHECK(low > 95);
  CHECK(high < 105);
}
