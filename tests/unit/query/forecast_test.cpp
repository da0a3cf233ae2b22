// Forecasts and campaigns as they are asked for: what a question may hold, where the past ends, and the answers'
// arithmetic.
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cmath>

#include "models/detection/random.hpp"
#include "models/query/campaigns.hpp"
#include "models/query/forecast.hpp"

using namespace pulse;
using namespace pulse::query;

namespace {

/// A Monday.
const time_ms now = parse_time("2026-03-16T12:00:00Z").value();

forecast_question asked(const parameters& given, metric m = metric::revenue) {
  auto q = read_forecast_question(info_of(m), given, now);
  REQUIRE(std::holds_alternative<forecast_question>(q));
  return std::get<forecast_question>(std::move(q));
}

problems refused(const parameters& given, metric m = metric::revenue) {
  auto q = read_forecast_question(info_of(m), given, now);
  REQUIRE(std::holds_alternative<problems>(q));
  return std::get<problems>(std::move(q));
}

/// Days in UTC from `from` on; weekdays bring 100, week ends 60, in euros; later days nothing yet.
metric_answer days(time_ms from, std::size_t n, time_ms until) {
  metric_answer out;
  out.unit = "EUR";
  out.question.timezone = "UTC";
  out.series.push_back({std::nullopt, {}});
  for (std::size_t i = 0; i < n; ++i) {
    const time_ms t{from.value + static_cast<std::int64_t>(i) * day_ms};
    out.buckets.push_back(t);
    const auto weekday = (t.value / day_ms + 3) % 7;
    out.series[0].points.push_back(std::string(t >= until ? "0.00" : weekday >= 5 ? "60.00" : "100.00"));
  }
  return out;
}

double text(const value& v) {
  return std::stod(std::get<std::string>(v));
}

} // namespace

TEST_CASE("a forecast's question has defaults, and what is wrong with it is told with its place", "[query][f:5.10]") {
  const auto q = asked({});
  CHECK(q.as_of == now);
  CHECK(q.horizon == 14);
  CHECK(q.span.granularity == granularity::day);
  CHECK(q.span.from.value == now.value - 400 * day_ms);
  CHECK(q.span.to.value >= now.value + 14 * day_ms);
  CHECK(asked({{"to", "2026-02-01T00:00:00Z"}, {"store", "1"}}).as_of < now);
  CHECK(refused({{"horizon", "0"}, {"level", "2"}, {"period", "year"}, {"colour", "red"}}).size() == 4);
  CHECK(refused({{"granularity", "minute"}}).at(0).pointer == "/granularity");
  CHECK(refused({{"goal", "5"}, {"granularity", "week"}}).at(0).pointer == "/goal");
  CHECK(refused({{"group_by", "store"}}).at(0).pointer == "/group_by");
  CHECK(refused({}, metric::sessions).at(0).pointer == "/metric");
  CHECK(refused({}, metric::aov).at(0).pointer == "/metric");
}

TEST_CASE("the day that is not over is the first that is forecast, and a week-end is seen coming", "[query][f:5.10]") {
  auto q = asked({{"horizon", "7"}});
  const auto span = days(time_ms{now.value / day_ms * day_ms - 70 * day_ms}, 85, time_ms{now.value / day_ms * day_ms});
  const auto a = answer_forecast(q, span, std::nullopt).value();
  REQUIRE(a.points.size() == 7);
  CHECK(format_time(a.times[0]) == "2026-03-16T00:00:00.000Z");
  CHECK(text(a.points[0].expected) == Catch::Approx(100).margin(1));
  CHECK(text(a.points[5].expected) == Catch::Approx(60).margin(1));
  CHECK(text(a.total.expected) == Catch::Approx(620).margin(5));
  CHECK_FALSE(a.course.has_value());
  // Three days are no past.
  const auto young = days(time_ms{now.value / day_ms * day_ms - 3 * day_ms}, 20, time_ms{now.value / day_ms * day_ms});
  CHECK(answer_forecast(q, young, std::nullopt).err().code == ec::invalid);
}

TEST_CASE("a month's course is what came, what is expected of the rest, and the goal", "[query][f:5.10]") {
  const auto q = asked({{"goal", "3000"}});
  const auto today = time_ms{now.value / day_ms * day_ms};
  const auto span = days(time_ms{today.value - 70 * day_ms}, 110, today);
  metric_answer months;
  for (const auto* t : {"2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z"})
    months.buckets.push_back(parse_time(t).value());
  CHECK(period_question(q).granularity == granularity::month);
  const auto c = answer_forecast(q, span, months).value().course.value();
  // The 1st was a Sunday: ten weekdays and five days of week ends are over, twelve and four to come.
  CHECK(text(c.so_far) == Catch::Approx(1300));
  CHECK(text(c.sum.expected) == Catch::Approx(1300 + 1440).margin(30));
  CHECK(c.text == "on course to miss the month by 9 %");
}

TEST_CASE("a campaign in one store is measured against the others", "[query][campaign][f:5.11]") {
  auto read = read_campaigns_question({{"level", "0.8"}}, now);
  REQUIRE(std::holds_alternative<campaigns_question>(read));
  const auto q = std::get<campaigns_question>(read);
  CHECK(q.span.to.value - q.span.from.value == 180 * day_ms);
  CHECK(std::get<problems>(read_campaigns_question({{"level", "x"}, {"group_by", "store"}}, now)).size() == 2);

  detection::random_stream random(3, 0);
  metric_answer events, stores, countries;
  stores.unit = "EUR";
  events.series = {{"spring", {}}, {"always", {}}};
  stores.series = {{"a", {}}, {"b", {}}, {"c", {}}};
  countries.series = {{"DE", {}}};
  for (std::int64_t day = 0; day < 90; ++day) {
    stores.buckets.push_back({day * day_ms});
    events.series[0].points.emplace_back(std::int64_t{day >= 60 && day < 74 ? 40 : 0});
    events.series[1].points.emplace_back(std::int64_t{50});
    for (std::size_t s = 0; s < 3; ++s) {
      const auto usual = (day % 7 >= 5 ? 600.0 : 1000.0) + 80 * (random.uniform() - 0.5);
      stores.series[s].points.emplace_back(usual + (s == 1 && day >= 60 && day < 74 ? 200 : 0));
    }
    countries.series[0].points.emplace_back(2'800.0);
  }
  const std::vector<campaign_row> rows{{"spring", "b", "DE", 95, 0},        {"spring", "a", "DE", 5, 0},
                                       {"spring", {}, {}, 0, 50'000},       {"always", "a", "DE", 300, 100'000},
                                       {"always", "b", "DE", 300, 100'000}, {"always", "c", "DE", 300, 100'000}};
  const auto a = answer_campaigns(q, events, stores, countries, rows);
  REQUIRE(a.reports.size() == 2);
  const auto& always = a.reports[0];
  CHECK(always.name == "always");
  CHECK(always.spend == 3'000);
  CHECK_FALSE(always.result.value);
  CHECK(always.result.reason.find("all stores and countries alike") != std::string::npos);
  const auto& spring = a.reports[1];
  CHECK(spring.begin == 60);
  CHECK(spring.end == 74);
  CHECK(spring.segments == std::vector<std::string>{"b"});
  CHECK(spring.spend == 500);
  REQUIRE(spring.result.value);
  CHECK(spring.result.value->gained == Catch::Approx(2'800).margin(400));
  CHECK(spring.result.value->lower > 0);
  CHECK_FALSE(a.advice.shift);
  CHECK(a.advice.reason == "fewer than two campaigns with a measured effect and spend");
}
