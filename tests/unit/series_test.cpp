// Metric series: what is found, what is not, and that nothing looks ahead; forecasts whose intervals hold.
#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "models/series/detector.hpp"
#include "models/series/forecast.hpp"

using namespace pulse;
using namespace pulse::series;

namespace {

constexpr std::int64_t monday = 1'699'833'600'000;

/// Hourly orders with a season of day and week, and noise of a tenth.
std::vector<point> shop(std::size_t hours, std::uint64_t seed) {
  detection::random_stream random(seed, 0);
  std::vector<point> out;
  for (std::size_t i = 0; i < hours; ++i) {
    const auto hour = static_cast<double>(i % 24), day = static_cast<double>(i / 24 % 7);
    const auto usual = (100 + 80 * std::sin((hour - 8) / 24 * 6.2831853)) * (day >= 5 ? 0.6 : 1);
    double noise = -6;
    for (int k = 0; k < 12; ++k)
      noise += random.uniform();
    const time_ms at{monday + static_cast<std::int64_t>(i) * hour_ms};
    out.push_back({at, usual * (1 + 0.1 * noise), format_time(at)});
  }
  return out;
}

} // namespace

TEST_CASE("an hour without orders is found, ordinary weeks raise few alarms", "[series][f:5.3]") {
  int found = 0, false_alarms = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    auto points = shop(24 * 7 * 8, seed);
    const std::size_t gap = 24 * 7 * 7 + 24 * 2 + 14;
    points[gap].value = points[gap + 1].value = 0;
    detector d;
    for (std::size_t i = 0; i < points.size(); ++i) {
      const auto v = d.next(points[i].at, points[i].value);
      CHECK((v.score >= 0 && v.score <= 1));
      CHECK(v.lower <= v.expected);
      CHECK(v.upper >= v.expected);
      if (i >= gap && i <= gap + 2)
        found += v.anomaly && (i == gap || found < static_cast<int>(seed));
      else
        false_alarms += v.anomaly;
    }
  }
  CHECK(found >= 8);
  // 80 weeks: not more than one in two.
  CHECK(false_alarms <= 40);
}

TEST_CASE("a verdict does not depend on what comes after", "[series][f:5.3]") {
  const auto points = shop(24 * 30, 3);
  detector whole, part;
  std::vector<double> scores;
  for (const auto& p : points)
    scores.push_back(whole.next(p.at, p.value).score);
  for (std::size_t i = 0; i < points.size() / 2; ++i)
    CHECK(part.next(points[i].at, points[i].value).score == scores[i]);
}

TEST_CASE("constant, missing, huge and single values are no reason to fail", "[series][f:5.3]") {
  detector d({.step_ms = minute_ms});
  const double hard[] = {0, 0, 0, NAN, 1e308, -1e308, INFINITY, -INFINITY, 5, NAN};
  for (int i = 0; i < 3000; ++i) {
    const auto v = d.next(time_ms{monday + i * minute_ms}, i % 300 < 10 ? hard[i % 10] : 7);
    CHECK((v.score >= 0 && v.score <= 1));
    CHECK_FALSE(std::isnan(v.expected));
  }
  detector same;
  CHECK_FALSE(same.next(time_ms{5}, 1).anomaly);
  CHECK_FALSE(same.next(time_ms{5}, 2).anomaly);
}

TEST_CASE("a forecast follows the season and its interval holds what it says", "[series][f:5.10]") {
  int inside = 0, all = 0;
  double size = 0, naive = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto points = shop(24 * 7 * 8, seed);
    const auto cut = points.size() - 48;
    const std::vector<point> past(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(cut));
    const auto f = predict(past, 48).value();
    for (std::size_t k = 0; k < 48; ++k, ++all) {
      CHECK(f.points[k].at == points[cut + k].at);
      const auto truth = points[cut + k].value;
      inside += truth >= f.points[k].lower && truth <= f.points[k].upper;
      size += std::abs(truth - f.points[k].expected);
      naive += std::abs(truth - points[cut + k - 168].value);
    }
  }
  CHECK(inside >= all * 80 / 100);
  CHECK(inside <= all * 98 / 100);
  CHECK(size < 0.9 * naive);
}

TEST_CASE("a week of days that ends low is no slope to nothing", "[series][f:5.10]") {
  std::vector<point> week;
  for (const double x : {12'000, 31'000, 18'000, 25'000, 16'000, 14'000, 359})
    week.push_back({time_ms{static_cast<std::int64_t>(week.size()) * day_ms}, x, ""});
  const auto f = predict(week, 7).value();
  for (const auto& p : f.points)
    CHECK(p.expected > 0);
}

TEST_CASE("a forecast of next to nothing is made or refused with the reason", "[series][f:5.10]") {
  const std::vector<point> three{{time_ms{0}, 1, ""}, {time_ms{day_ms}, NAN, ""}, {time_ms{2 * day_ms}, 3, ""}};
  CHECK(predict(three, 2).err().code == ec::invalid);
  auto four = three;
  four.push_back({time_ms{3 * day_ms}, 5, ""});
  CHECK(predict(four, 500).value().points.size() == 500);
  CHECK(predict(four, 0).err().code == ec::invalid);
  CHECK(predict(four, 1, {.level = 1}).err().code == ec::invalid);
  // At half the distance two points come where one came.
  const auto step = usual_step_ms(four);
  const auto half = predict(four, 2, {.step_ms = step / 2}).value();
  CHECK(half.points[1].at.value - four.back().at.value == step);
  CHECK(predict(four, 1, {.step_ms = 2 * step}).err().code == ec::invalid);
  CHECK_FALSE(predict({}, 1).ok());
  const std::vector<point> instant(3, {time_ms{5}, 1, ""});
  CHECK_FALSE(predict(instant, 1).ok());
  const std::vector<point> late{{time_ms{0}, NAN, ""}, {time_ms{5}, 1, ""}, {time_ms{5}, 1, ""}, {time_ms{5}, 2, ""}};
  CHECK_FALSE(predict(late, 1).ok());
}

TEST_CASE("a month's course is arithmetic on what came and what is expected", "[series][f:5.10]") {
  const auto c = on_course(400, {time_ms{0}, 520, 470, 570}, 1'000);
  CHECK(describe(c, "month") == "on course to miss the month by 8 %");
  CHECK(c.sure);
  CHECK_FALSE(on_course(400, {time_ms{0}, 520, 470, 640}, 1'000).sure);
  CHECK(describe(on_course(600, {time_ms{0}, 430, 400, 500}, 1'000), "month") == "on course to beat the month by 3 %");
  CHECK(describe(on_course(600, {time_ms{0}, 402, 390, 500}, 1'000), "month") == "on course for the month");
  CHECK(on_course(600, {time_ms{0}, 402, 390, 500}, 0).against_goal == 0);
}

TEST_CASE("the interval of a sum holds the sum as often as it says", "[series][f:5.10]") {
  int inside = 0, narrower = 0;
  constexpr int runs = 40;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    const auto points = shop(24 * 7 * 6, seed);
    const auto cut = points.size() - 24;
    const auto f = predict({points.begin(), points.begin() + static_cast<std::ptrdiff_t>(cut)}, 24).value();
    double truth = 0, low = 0;
    for (std::size_t k = 0; k < 24; ++k)
      truth += points[cut + k].value, low += f.points[k].lower;
    inside += f.total.lower <= truth && truth <= f.total.upper;
    narrower += f.total.lower > low;
  }
  CHECK(inside >= runs * 75 / 100);
  // Errors of single hours cancel out in their sum.
  CHECK(narrower >= runs * 9 / 10);
}

TEST_CASE("holidays are left out of what is learnt and expected like earlier ones", "[series][f:5.10]") {
  std::vector<point> daily;
  for (int i = 0; i < 70; ++i) {
    const bool holiday = i == 20 || i == 40 || i == 66;
    daily.push_back({time_ms{monday + i * day_ms}, holiday ? 20.0 : 100.0 + i % 7, ""});
  }
  const std::vector<time_ms> days{time_ms{monday + 20 * day_ms}, time_ms{monday + 40 * day_ms},
                                  time_ms{monday + 66 * day_ms}, time_ms{monday + 73 * day_ms}};
  const auto f = predict(daily, 7, {.holidays = days}).value();
  CHECK(std::abs(f.points[3].expected - 20) < 5);
  CHECK(std::abs(f.points[2].expected - 102) < 3);
  const auto blind = predict(daily, 7).value();
  CHECK(blind.points[3].expected > 50);
}

TEST_CASE("a growing shop is expected to go on growing, by less and less", "[series][f:5.10]") {
  std::vector<point> weekly;
  for (int i = 0; i < 60; ++i)
    weekly.push_back({time_ms{monday + i * 7 * day_ms}, 1000.0 + 50 * i, ""});
  const auto f = predict(weekly, 20).value();
  CHECK(f.points[0].expected > 3'960);
  CHECK(f.points[19].expected > f.points[0].expected);
  CHECK(f.points[19].expected < 4'950);
  CHECK(f.points[19].expected - f.points[18].expected < f.points[1].expected - f.points[0].expected);
}

TEST_CASE("series are read with times in several forms", "[series]") {
  const auto p = read_points("timestamp,value\n2014-02-14 14:30:00,1.5\n2014-02-14T14:35:00Z,\n2014-02-15,3\n").value();
  REQUIRE(p.size() == 3);
  CHECK(p[1].at.value - p[0].at.value == 5 * minute_ms);
  CHECK(std::isnan(p[1].value));
  CHECK(format_like(p[0].at, "2014-02-14 14:30:00") == "2014-02-14 14:30:00");
  CHECK(format_like(p[0].at, "2014-02-14T14:30:00Z") == "2014-02-14T14:30:00Z");
  CHECK(format_like(p[2].at, "2014-02-15") == "2014-02-15");
  CHECK(read_points("timestamp,value\nyesterday,1\n").err().detail.starts_with("line 2"));
  CHECK(read_points("timestamp,value\n2014-02-15,1\n2014-02-14,1\n").err().code == ec::invalid);
  CHECK(read_points("timestamp,value\n1700000000,1\n").err().detail.find("but a number: 2026-03-01T06:00:00Z") !=
        std::string::npos);
  CHECK(read_points("timestamp;value\n2014-02-15;1\n").err().detail.find("by commas") != std::string::npos);
  CHECK(read_points("time,value\n").err().code == ec::malformed);
  CHECK(parse_duration("5m") == 5 * minute_ms);
  CHECK_FALSE(parse_duration("5").has_value());
  CHECK_FALSE(parse_duration("0h").has_value());
}
