// The register of views, each view alone, the budget of alarms, options, and the simulation on history.
#include <algorithm>
#include <cmath>
#include <set>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "models/series/bands.hpp"
#include "models/series/simulate.hpp"
#include "models/series/surprise.hpp"
#include "tests/support/noise.hpp"

using namespace pulse;
using namespace pulse::series;
using test::noise;

namespace {

constexpr std::int64_t monday = 1'699'833'600'000;

/// Hourly, with a day's season.
std::vector<point> shop(std::size_t days, std::uint64_t seed) {
  detection::random_stream random(seed, 0);
  std::vector<point> out;
  for (std::size_t i = 0; i < 24 * days; ++i) {
    const auto usual = 200 + 150 * std::sin(static_cast<double>(i % 24) / 24 * 6.2831853);
    out.push_back({{monday + static_cast<std::int64_t>(i) * hour_ms}, std::round(usual + 8 * noise(random)), ""});
  }
  return out;
}

} // namespace

TEST_CASE("each registered view has a name of its own, runs on anything and looks at the past alone",
          "[series][f:5.13]") {
  std::set<std::string_view> names;
  auto hard = shop(20, 5);
  hard[200].value = NAN;
  hard[201].value = 1e308;
  hard[202].value = -INFINITY;
  for (const auto& v : views()) {
    CHECK(names.insert(v.name).second);
    CHECK_FALSE(v.reason.empty());
    CHECK(detector::check(v.name).ok());
    const auto whole = simulate(hard, {.name = v.name});
    const auto half = simulate({hard.begin(), hard.begin() + 300}, {.name = v.name});
    for (std::size_t i = 0; i < 300; ++i)
      REQUIRE(whole.verdicts[i].score == half.verdicts[i].score);
  }
  CHECK_FALSE(detector::check("oracle").ok());
  CHECK(detector::check("oracle").err().detail.find("ensemble") != std::string::npos);
}

TEST_CASE("a wrong number does not hide what comes days after it", "[series][f:5.3]") {
  const auto found_after = [](double wrong) {
    int out = 0;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      auto x = shop(50, seed);
      x[400].value = wrong;
      std::set<std::size_t> stops;
      for (std::size_t i = 604; i < x.size(); i += 97) {
        x[i].value = 0;
        stops.insert(i);
      }
      const auto said = simulate(x, {});
      for (const auto i : stops)
        out += said.verdicts[i].anomaly ? 1 : 0;
    }
    return out;
  };
  const auto without = found_after(200);
  CHECK(without >= 12);
  for (const double wrong : {1'000.0, 1e5, 1e9, 1e15, -1e15, HUGE_VAL}) {
    INFO(wrong);
    CHECK(2 * found_after(wrong) > without);
  }
}

TEST_CASE("median deviations, z, quartiles, counts, forest and bundle each find a shop that stops", "[series][f:5.3]") {
  for (const std::string_view name : {"mad", "z", "iqr", "count", "forest", "residual", "ensemble"}) {
    int found = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      auto x = shop(40, seed);
      const std::size_t gap = 24 * 35 + 6;
      for (std::size_t k = 0; k < 4; ++k)
        x[gap + k].value = 0;
      bool hit = false;
      for (const auto& a : simulate(x, {.name = name, .sensitivity = 1.2}).alarms)
        hit |= a.index >= gap && a.index < gap + 6;
      found += hit;
    }
    CAPTURE(name);
    CHECK(found >= 4);
  }
}

TEST_CASE("shares of the views add up to the total", "[series][f:5.5]") {
  detector d;
  for (const auto& p : shop(20, 2)) {
    d.next(p.at, p.value);
    double sum = 0;
    for (const auto& s : d.shares())
      sum += s.rarity;
    REQUIRE(sum == Catch::Approx(d.total()).margin(1e-9));
  }
}

TEST_CASE("a budget of alarms a week holds whatever comes", "[series][f:5.7]") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    detection::random_stream random(seed, 0);
    std::vector<point> wild;
    double level = 0;
    for (int i = 0; i < 6'000; ++i) {
      if (random.below(50) == 0)
        level = 100 * noise(random);
      wild.push_back({{monday + i * 10 * minute_ms}, level + std::exp(2 * noise(random)), ""});
    }
    CHECK(simulate(wild, {.sensitivity = 3, .alarms_per_week = 2}).worst_week <= 2);
    CHECK(simulate(wild, {.sensitivity = 3, .alarms_per_week = 1}).worst_week <= 1);
    // Without it more would have come, or the budget held nothing back.
    CHECK(simulate(wild, {.sensitivity = 3}).worst_week > 2);
  }
}

TEST_CASE("after three days of data a stop of the shop is found", "[series][f:5.6]") {
  int found = 0, before = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    detection::random_stream random(seed, 0);
    std::vector<point> x;
    for (int i = 0; i < 4 * 288; ++i)
      x.push_back({{monday + i * 5 * minute_ms}, 50 + 20 * std::sin(i / 288.0 * 6.2831853) + 3 * noise(random), ""});
    for (int i = 3 * 288 + 60; i < 3 * 288 + 72; ++i)
      x[static_cast<std::size_t>(i)].value = 0;
    bool hit = false;
    for (const auto& a : simulate(x).alarms) {
      hit |= a.index >= 3 * 288 + 60 && a.index < 3 * 288 + 72;
      before += a.index < 3 * 288;
    }
    found += hit;
  }
  CHECK(found >= 9);
  CHECK(before <= 20);
}

TEST_CASE("a season and chance alone alarm less than once in two weeks at five minutes", "[series][f:5.7]") {
  double alarms = 0, weeks = 0;
  int found = 0;
  constexpr int seeds = 3, days = 21;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    detection::random_stream random(seed, 0);
    std::vector<point> x;
    for (int i = 0; i < days * 288; ++i)
      x.push_back({{monday + i * 5 * minute_ms}, 100 + 60 * std::sin(i / 288.0 * 6.2831853) + 8 * noise(random), ""});
    for (const auto& a : simulate(x).alarms)
      alarms += a.index >= 3 * 288;
    weeks += (days - 3) / 7.0;
    const std::size_t gap = 15 * 288 + 60;
    for (auto i = gap; i < gap + 12; ++i)
      x[i].value = 0;
    bool hit = false;
    for (const auto& a : simulate({x.begin(), x.begin() + gap + 12}).alarms)
      hit |= a.index >= gap;
    found += hit;
  }
  CHECK(alarms <= 0.5 * weeks);
  // Silence is no merit of a detector that is deaf.
  CHECK(found == seeds);
}

TEST_CASE("direction, floor and sensitivity do what they say", "[series][f:5.3]") {
  auto x = shop(40, 9);
  const std::size_t gap = 24 * 35 + 6;
  for (std::size_t k = 0; k < 4; ++k)
    x[gap + k].value = 0;
  const auto alarms_at = [&](const detector_options& o) {
    int out = 0;
    for (const auto& a : simulate(x, o).alarms)
      out += a.index >= gap && a.index < gap + 4;
    return out;
  };
  CHECK(alarms_at({}) >= 1);
  CHECK(alarms_at({.side = direction::down}) >= 1);
  CHECK(alarms_at({.side = direction::up}) == 0);
  CHECK(alarms_at({.floor = 1e6}) == 0);
  CHECK(simulate(x, {.sensitivity = 0.2}).alarms.size() <= simulate(x).alarms.size());
  CHECK(simulate(x, {.sensitivity = 3}).alarms.size() >= simulate(x).alarms.size());
}

TEST_CASE("the season follows the store's clock across a change of it", "[series][f:5.3]") {
  const std::vector<zone_offset> zone{{time_ms{0}, 2 * hour_ms}, {time_ms{1'000}, hour_ms}};
  CHECK(to_local(time_ms{-5}, zone).value == 2 * hour_ms - 5);
  CHECK(to_local(time_ms{999}, zone).value == 2 * hour_ms + 999);
  CHECK(to_local(time_ms{1'000}, zone).value == hour_ms + 1'000);
  CHECK(to_local(time_ms{7}, {}).value == 7);
  // Ten weeks on the old clock, then the shop opens an hour earlier in UTC, at the same local time.
  double with_zone = 0, without = 0;
  const time_ms change{monday + 70 * day_ms};
  const std::vector<zone_offset> local{{time_ms{0}, 0}, {change, hour_ms}};
  detector knows({.step_ms = hour_ms, .zone = local}), does_not({.step_ms = hour_ms});
  for (int i = 0; i < 77 * 24; ++i) {
    const time_ms t{monday + i * hour_ms};
    const auto hour = to_local(t, local).value / hour_ms % 24;
    const double x = hour >= 9 && hour < 18 ? 100 : 0;
    const auto a = knows.next(t, x), b = does_not.next(t, x);
    if (t >= change)
      with_zone += std::abs(x - a.expected), without += std::abs(x - b.expected);
  }
  CHECK(with_zone < without / 2);
}

TEST_CASE("a simulation says what the live detector said", "[series][f:5.4]") {
  auto x = shop(40, 4);
  x[700].value = 5'000;
  const auto s = simulate(x);
  detector live;
  std::size_t alarms = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto v = live.next(x[i].at, x[i].value);
    REQUIRE(v.score == s.verdicts[i].score);
    REQUIRE((v.score >= 0.5) == v.anomaly);
    alarms += v.anomaly;
  }
  CHECK(alarms == s.alarms.size());
  CHECK(alarms >= 1);
  CHECK(s.alarms_per_week == Catch::Approx(static_cast<double>(alarms) / s.weeks));
  CHECK(simulate({}).alarms.empty());
}

TEST_CASE("an incident keeps its points high, be it a loud one or a day without its season", "[series][f:5.3]") {
  const auto high = [](double loud, double flat, std::size_t day) {
    double out = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      auto x = shop(60, seed);
      for (std::size_t i = 24 * day; i < 24 * day + 24; ++i)
        x[i].value = std::round((1 - flat) * x[i].value + flat * 200 + loud);
      std::vector<double> before, during;
      for (std::size_t i = 0; const auto& v : simulate(x).verdicts) {
        if (!v.anomaly && i < 24 * day)
          before.push_back(v.score);
        else if (!v.anomaly && i >= 24 * day + 6 && i < 24 * day + 24)
          during.push_back(v.score);
        ++i;
      }
      std::sort(before.begin(), before.end());
      const auto bound = before[before.size() * 95 / 100];
      for (auto s : during)
        out += (s > bound) / static_cast<double>(during.size()) / 5;
    }
    return out;
  };
  CHECK(high(300, 0, 50) > 0.9);
  CHECK(high(0, 1, 50) > 0.9);
  CHECK(high(0, 0, 50) < 0.2);
}

TEST_CASE("count bands hold Poisson and overdispersed counts, and know their tails", "[series][f:5.3]") {
  const count_law poisson(4, 4);
  // P(X <= 1) = 5 e^-4, P(X >= 10) by the series.
  CHECK(poisson.at_most(1) == Catch::Approx(5 * std::exp(-4.0)));
  CHECK(poisson.at_least(10) == Catch::Approx(0.0081322).epsilon(1e-4));
  CHECK(poisson.at_most(-1) == 0);
  CHECK(poisson.at_least(0) == 1);
  const count_law wide(100, 1'100);
  // Size 10: the band is far wider than Poisson's.
  CHECK(wide.interval(0.9).upper - wide.interval(0.9).lower > 3 * (count_law(100, 100).interval(0.9).upper - 100));
  CHECK(wide.at_most(wide.interval(0.9).upper) >= 0.95);
  CHECK(count_law(0, 0).at_least(1) < 1e-5);
}

TEST_CASE("rate bands are binomial without scatter and wider with it", "[series][f:5.3]") {
  const rate_law plain(0.5, 0);
  CHECK(plain.at_most(1, 3) == Catch::Approx(0.5));
  // Beta-binomial with a = b = 1 (overdispersion 1/3) is uniform over 0 ... n.
  const rate_law uniform(0.5, 1.0 / 3);
  CHECK(uniform.at_most(3, 9) == Catch::Approx(0.4));
  CHECK(uniform.at_least(9, 9) == Catch::Approx(0.1));
  std::vector<tally> steady, wild;
  for (int i = 0; i < 50; ++i) {
    steady.push_back({30.0 + i % 2, 1'000});
    wild.push_back({i % 2 ? 10.0 : 50.0, 1'000});
  }
  CHECK(fit_rates(steady).overdispersion() == 0);
  CHECK(fit_rates(wild).overdispersion() > 0.005);
  CHECK(fit_rates(wild).interval(1'000, 0.9).upper > fit_rates(steady).interval(1'000, 0.9).upper);
  CHECK(fit_rates({}).interval(0, 0.9).upper == 1);
}

TEST_CASE("half of an hour's orders lost alarms in that hour, whatever the unit, and ordinary weeks hardly ever",
          "[series][f:5.3]") {
  int found = 0, tried = 0;
  std::size_t alarms = 0;
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    const auto plain = shop(70, seed);
    alarms += simulate(plain, {}).alarms.size();
    for (std::size_t noon = 24 * 35 + 8; noon + 2 < plain.size(); noon += 4 * 24 + 1) {
      auto lost = std::vector<point>(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(noon + 1));
      lost.back().value /= 2;
      const auto v = simulate(lost, {}).verdicts.back();
      found += v.anomaly, ++tried;
      for (auto& p : lost)
        p.value *= 1999;
      CHECK(simulate(lost, {}).verdicts.back().anomaly == v.anomaly);
    }
  }
  INFO(found << " of " << tried << ", " << alarms << " alarms in 20 weeks");
  CHECK(found * 10 >= tried * 9);
  CHECK(alarms <= 10);
}

TEST_CASE("the law of single points says nothing of what it cannot judge", "[series]") {
  surprise fine(5 * minute_ms, 0.25), negative(hour_ms, 0.25), young(hour_ms, 0.25);
  for (int i = 0; i < 1000; ++i) {
    CHECK(fine.strength(i == 900 ? 0 : 100 + i % 7, 103) == 0);
    CHECK(negative.strength(i == 900 ? 0 : 100 + i % 7 - (i == 10 ? 500 : 0), 103) * (i > 10) == 0);
    if (i < 13 * 24)
      CHECK(young.strength(i % 50 == 49 ? 0 : 100 + i % 7, 103) == 0);
  }
  surprise zero(hour_ms, 0.25);
  for (int i = 0; i < 1000; ++i)
    CHECK(zero.strength(0, 0) == 0);
  CHECK(std::isfinite(zero.strength(1e100, 0)));
  CHECK(std::isfinite(zero.strength(1e100, 1e-9)));
}
