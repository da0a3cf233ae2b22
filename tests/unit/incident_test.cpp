// Incidents: what moves together is one, and the parts of a change that was put in add up to it exactly.
#include <numeric>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "models/series/incident.hpp"

using namespace pulse;
using namespace pulse::series;

TEST_CASE("alarms close in time are one incident, a later one is another", "[series][f:5.8]") {
  std::vector<series_alarm> alarms;
  for (const int minute : {100, 5, 0, 40, 300})
    alarms.push_back({"orders", minute == 5 ? "store=12" : "", time_ms{minute * minute_ms}, 0.8});
  const auto found = group_alarms(alarms, hour_ms);
  REQUIRE(found.size() == 2);
  CHECK(found[0].alarms.size() == 4);
  CHECK(found[0].first.value == 0);
  CHECK(found[0].last.value == 100 * minute_ms);
  CHECK(found[1].alarms.size() == 1);
  CHECK(group_alarms({}, hour_ms).empty());
}

TEST_CASE("a loss put into one store names that store first, and the parts add up", "[series][f:5.8]") {
  int first = 0;
  constexpr int runs = 200;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    detection::random_stream random(seed, 0);
    std::vector<segment_change> segments;
    segment_change total{"", 0, 0};
    const auto guilty = random.below(8);
    for (std::uint32_t k = 0; k < 8; ++k) {
      const auto usual = static_cast<std::int64_t>(20'000 + random.below(80'000));
      auto actual = usual + static_cast<std::int64_t>(random.below(2'001)) - 1'000;
      if (k == guilty)
        actual -= usual / 2;
      segments.push_back({"store=" + std::to_string(k), usual, actual});
      total.expected += usual;
      total.actual += actual;
    }
    const auto e = explain(total, segments);
    REQUIRE(!e.drivers.empty());
    first += e.drivers[0].segment == "store=" + std::to_string(guilty);
    CHECK(e.drivers[0].lift > 1);
    CHECK_FALSE(e.broad);
    CHECK(e.change == total.change());
    CHECK(std::accumulate(e.drivers.begin(), e.drivers.end(), e.rest,
                          [](std::int64_t sum, const driver& d) { return sum + d.change; }) == e.change);
  }
  CHECK(first >= runs * 98 / 100);
}

TEST_CASE("a loss everywhere blames no segment", "[series][f:5.8]") {
  std::vector<segment_change> segments;
  for (int k = 1; k <= 5; ++k)
    segments.push_back({"store=" + std::to_string(k), 1'000 * k, 500 * k});
  const auto e = explain({"", 15'000, 7'500}, segments);
  CHECK(e.broad);
  CHECK(e.rest + std::accumulate(e.drivers.begin(), e.drivers.end(), std::int64_t{0},
                                 [](std::int64_t sum, const driver& d) { return sum + d.change; }) ==
        -7'500);
}

TEST_CASE("no change, and a segment nobody listed, are told as they are", "[series][f:5.8]") {
  CHECK(explain({"", 10, 10}, {{"store=1", 4, 9}, {"store=2", 6, 1}}).drivers.empty());
  const auto e = explain({"", 100, 0}, {{"store=1", 30, 0}});
  CHECK(e.rest == -70);
  CHECK(e.drivers.at(0).change == -30);
  CHECK(explain({"", 0, 50}, {{"store=new", 0, 50}}).drivers.at(0).share == 1);
}
