// The watch over a tenant's metrics: one incident for what moves together, parts that add up, a budget that holds.
#include <cmath>
#include <numeric>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "models/alert/metric_alert.hpp"
#include "models/detection/random.hpp"
#include "models/series/watch.hpp"
#include "tests/support/noise.hpp"
#include "tests/support/watched_shop.hpp"

using namespace pulse;
using namespace pulse::series;
using test::lose;
using test::monday;
using test::noise;
using test::shop;
using test::week;

TEST_CASE("a store that stops is one incident that names it, and its parts add up", "[series][f:5.8]") {
  int named = 0;
  constexpr int runs = 5;
  for (std::uint64_t seed = 1; seed <= runs; ++seed) {
    auto q = shop(5 * week, seed);
    const auto at = 5 * week - 10;
    lose(q, 1, at), lose(q, 1, at + 1);
    const auto a = watch(q);
    CAPTURE(seed, a.held);
    REQUIRE(a.told.size() <= 1);
    if (a.told.empty())
      continue;
    const auto& f = a.told[0];
    CHECK(f.first >= time_ms{monday + static_cast<std::int64_t>(at) * hour_ms});
    CHECK_FALSE(f.reason.empty());
    const auto sum = std::accumulate(f.parts.drivers.begin(), f.parts.drivers.end(), f.parts.rest,
                                     [](std::int64_t s, const driver& d) { return s + d.change; });
    CHECK(sum == f.what[0].value - f.what[0].expected);
    named += !f.parts.drivers.empty() && f.parts.drivers[0].segment == "store=1";
  }
  CHECK(named >= runs - 1);
}

TEST_CASE("an incident is told once, and hours that were judged before tell nothing", "[series][f:5.8]") {
  auto q = shop(5 * week, 3);
  const auto at = 5 * week - 10;
  lose(q, 1, at), lose(q, 2, at), lose(q, 3, at);
  const auto first = watch(q);
  REQUIRE(first.told.size() == 1);
  CHECK(first.told[0].parts.broad);
  q.told.push_back(first.told[0].first);
  CHECK(watch(q).told.empty());
  q.told.clear();
  q.fresh = at + 5;
  CHECK(watch(q).told.empty());
}

TEST_CASE("ordinary weeks stay within the budget, and so do wild ones", "[series][f:5.7]") {
  detection::random_stream random(11, 0);
  auto wild = shop(5 * week, 11);
  for (auto& l : wild.lines)
    for (auto& v : l.values)
      v = std::llround(static_cast<double>(v) * std::exp(0.7 * noise(random)));
  for (auto q : {shop(5 * week, 12), wild}) {
    std::vector<time_ms> told;
    for (std::size_t day = 0; day < 7; ++day) {
      auto part = q;
      const auto hours = 4 * week + (day + 1) * 24;
      for (auto& l : part.lines)
        l.values.resize(hours);
      part.fresh = hours - 24;
      part.told = told;
      for (const auto& f : watch(part).told)
        told.push_back(f.first);
    }
    CHECK(told.size() <= 2);
  }
}

TEST_CASE("a store that stops in a shop's second week is told within that hour", "[series][f:5.6]") {
  int told = 0, calm = 0;
  constexpr int seeds = 30;
  constexpr std::size_t hours = 9 * 24;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    detection::random_stream random(seed, 0);
    watch_question q;
    q.from = {monday + static_cast<std::int64_t>(seed) * hour_ms};
    q.fresh = hours - 1;
    q.lines = {{"orders", "", std::vector<std::int64_t>(hours)}, {"orders", "store=1", {}}, {"orders", "store=2", {}}};
    for (std::size_t i = 0; i < hours; ++i) {
      const auto at = static_cast<double>((i + seed) % 24);
      for (std::size_t store = 1; store <= 2; ++store) {
        const auto mean = (0.8 + 0.2 * static_cast<double>(store)) * (14 + 8 * std::sin((at - 8) / 24 * 6.2831853));
        q.lines[store].values.push_back(std::llround(mean * (0.9 + 0.2 * random.uniform())));
        q.lines[0].values[i] += q.lines[store].values[i];
      }
    }
    calm += !watch(q).told.empty();
    q.lines[0].values.back() -= q.lines[2].values.back();
    q.lines[2].values.back() = 0;
    told += !watch(q).told.empty();
  }
  INFO(told << " of " << seeds);
  CHECK(told >= seeds * 6 / 10);
  CHECK(calm <= 1);
}

TEST_CASE("where there is little history or little volume nothing is said", "[series][f:5.3]") {
  auto young = shop(70, 5);
  lose(young, 1, 65);
  CHECK(watch(young).told.empty());
  auto small = shop(5 * week, 5, 0.02);
  const auto at = 5 * week - 10;
  lose(small, 1, at), lose(small, 2, at), lose(small, 3, at);
  CHECK(watch(small).told.empty());
  CHECK(watch({}).told.empty());
}

TEST_CASE("fewer refunds than usual are no incident, many are", "[series][f:5.3]") {
  auto q = shop(5 * week, 7);
  q.lines[0].metric = "failed_payments";
  q.lines.resize(1);
  const auto at = 5 * week - 10;
  auto less = q, more = q;
  less.lines[0].values[at] = 0;
  more.lines[0].values[at] *= 6;
  CHECK(watch(less).told.empty());
  CHECK(watch(more).told.size() == 1);
}

TEST_CASE("the alert of an incident has its numbers, and contributions that add up to the cent", "[series][f:5.8]") {
  finding f;
  f.first = f.last = {monday + 14 * hour_ms};
  f.what = {{"revenue", "", 120'050, 480'000, 3}, {"orders", "store=1", 2, 90, 2}};
  f.reason = "far from what this time of day or week expects";
  f.parts = explain({"", 480'000, 120'050}, {{"store=1", 400'000, 30'050}, {"store=2", 80'000, 90'000}});
  const tenant_id tenant{7};
  const auto c = alert::metric_candidate(tenant, f, parse_currency("EUR").value(), {{time_ms{0}, hour_ms}});
  CHECK(c.type == "metric.anomaly");
  CHECK(c.severity == "critical");
  CHECK(c.title == "2023-11-13 15:00 to 16:00: revenue 1200.50 EUR, expected about 4800.00 EUR");
  CHECK(c.summary.find("most of it by store=1 (300.50 EUR where 4000.00 EUR were expected)") != std::string::npos);
  CHECK(c.summary.find("orders of store=1 2, expected 90") != std::string::npos);
  const auto d = nlohmann::json::parse(c.data);
  CHECK(d["metric"] == "revenue");
  CHECK(d["value"] == "1200.50");
  double sum = 0;
  for (const auto& r : d["reasons"])
    sum += std::stod(r["contribution"].get<std::string>());
  CHECK(std::abs(sum - (1200.5 - 4800)) < 1e-9);
  CHECK(alert::metric_candidate(tenant, f, {}, {}).alert_id == c.alert_id);
  CHECK(alert::metric_candidate(tenant_id{8}, f, {}, {}).alert_id != c.alert_id);
}
