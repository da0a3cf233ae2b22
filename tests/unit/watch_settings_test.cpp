// Settings of the watch over metrics: what they may say, what they change, and that a simulation is what really
// happens.
#include <algorithm>
#include <cmath>
#include <functional>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "models/detection/random.hpp"
#include "models/series/watch_settings.hpp"

using namespace pulse;
using namespace pulse::series;

namespace {

constexpr time_ms monday{1'767'571'200'000};
double bell(detection::random_stream& random) {
  double x = -6;
  for (int k = 0; k < 12; ++k)
    x += random.uniform();
  return x;
}

/// A shop with days and nights; what happens in single hours is `change`d.
watch_question shop(std::size_t hours, const std::function<std::int64_t(std::size_t, std::int64_t)>& change) {
  detection::random_stream random(11, 0);
  metric_line orders{"orders", "", {}}, revenue{"revenue", "", {}};
  for (std::size_t i = 0; i < hours; ++i) {
    const auto usual = 120 + 80 * std::sin(static_cast<double>(i % 24) / 24 * 6.283);
    const auto n = change(i, std::llround(std::max(0.0, usual + std::sqrt(usual) * bell(random))));
    orders.values.push_back(n);
    revenue.values.push_back(n * 5'000);
  }
  return {monday, {orders, revenue}, 0, {}, {}};
}

watch_question with_a_fall_and_a_rise() {
  return shop(6 * 168, [](std::size_t i, std::int64_t n) { return i == 700 ? n / 8 : i == 850 ? n * 3 : n; });
}

watch_config config_of(const std::string& document) {
  return watch_settings::compile(document)->config;
}

std::vector<std::int64_t> begins(const watch_answer& a) {
  std::vector<std::int64_t> out;
  for (const auto& f : a.told)
    out.push_back((f.first.value - monday.value) / hour_ms);
  return out;
}

std::vector<std::string> problems(const std::string& document) {
  std::vector<std::string> out;
  for (const auto& p : check_watch_settings(document))
    out.push_back(p.code + " " + p.pointer);
  return out;
}

using list = std::vector<std::string>;
using places = std::vector<std::int64_t>;

} // namespace

TEST_CASE("settings of detectors name every problem and its place", "[series][f:5.3]") {
  CHECK(problems("{}").empty());
  CHECK(problems(R"({"per_week":1,"orders_min":0,"sensitivity":0.5,"metrics":{"revenue":{"state":"off",
    "direction":"down","sensitivity":2}}})")
            .empty());
  CHECK(problems("[]") == list{"wrong_type "});
  CHECK(problems("{") == list{"not_json "});
  CHECK(problems(R"({"per_week":2,"per_week":3})") == list{"duplicate_key /per_week"});
  CHECK(problems(R"({"per_week":-1,"orders_min":1.5,"sensitivity":100,"a/b":1})") ==
        list{"unknown_key /a~1b", "wrong_type /orders_min", "wrong_type /per_week", "wrong_type /sensitivity"});
  CHECK(problems(R"({"metrics":{"orders":{"state":"maybe","direction":1,"floor":2},"profit":{},"events":[]}})") ==
        list{"wrong_type /metrics/events", "wrong_type /metrics/orders/direction", "unknown_key /metrics/orders/floor",
             "wrong_type /metrics/orders/state", "unknown_metric /metrics/profit"});
  CHECK(watch_settings::compile(R"({"per_week":"x"})").err().pointer == "/per_week");
}

TEST_CASE("the same settings are the same version however they are written", "[series][f:5.3]") {
  const auto a = watch_settings::compile(R"({ "per_week": 2, "metrics": {"orders": {"state": "on"}} })");
  const auto b = watch_settings::compile(R"({"metrics":{"orders":{"state":"on"}},"per_week":2})");
  CHECK(a->id == b->id);
  CHECK(a->canonical == R"({"metrics":{"orders":{"state":"on"}},"per_week":2})");
  CHECK(a->id != watch_settings::compile("{}")->id);
}

TEST_CASE("direction, state, budget, floor and sensitivity change what is told", "[series][f:5.3]") {
  const auto q = with_a_fall_and_a_rise();
  const auto told = [&](const std::string& document) {
    return begins(simulate(q, config_of(document)));
  };
  CHECK(told("{}") == places{700, 850});
  CHECK(told(R"({"metrics":{"orders":{"direction":"down"},"revenue":{"direction":"down"}}})") == places{700});
  CHECK(told(R"({"metrics":{"orders":{"direction":"up"},"revenue":{"direction":"up"}}})") == places{850});
  CHECK(told(R"({"metrics":{"orders":{"state":"off"},"revenue":{"state":"off"}}})").empty());
  CHECK(told(R"({"metrics":{"orders":{"state":"off"}}})") == places{700, 850});
  CHECK(told(R"({"per_week":0})").empty());
  CHECK(told(R"({"orders_min":100000})").empty());
  const auto as_sensitive = [&](double x) {
    return told(fmt::format(R"({{"per_week":100,"sensitivity":{}}})", x)).size();
  };
  CHECK(as_sensitive(0.2) <= as_sensitive(1));
  CHECK(as_sensitive(1) < as_sensitive(8));
}

TEST_CASE("a simulation of the watch tells what hourly looks tell", "[series][f:5.4]") {
  constexpr std::size_t hours = 2 * 168;
  const auto q = shop(hours, [](std::size_t i, std::int64_t n) {
    return i == 100 || i == 101 || i == 250 ? n / 8 : i >= 200 && i < 204 ? n * 3 : i % 47 == 5 ? n * 2 : n;
  });
  for (const std::size_t per_week : {1u, 50u}) {
    watch_config config;
    config.per_week = per_week;
    watch_answer looked;
    auto seen = q;
    for (auto i = config.hours_min; i < hours; ++i) {
      seen.fresh = i;
      for (std::size_t k = 0; k < q.lines.size(); ++k)
        seen.lines[k].values.assign(q.lines[k].values.begin(),
                                    q.lines[k].values.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      auto now = watch(seen, config);
      looked.held += now.held;
      for (auto& f : now.told) {
        seen.told.push_back(f.first);
        looked.told.push_back(std::move(f));
      }
    }
    const auto simulated = simulate(q, config);
    CHECK(begins(simulated) == begins(looked));
    CHECK(simulated.held == looked.held);
    CHECK(simulated.told.size() >= std::min<std::size_t>(per_week, 2));
  }
}
