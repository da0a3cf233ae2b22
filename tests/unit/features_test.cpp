// Features in event time: windows equal a brute-force oracle under disorder, and what is late, new or unknown is said.
#include <algorithm>
#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/model_data.hpp"
#include "models/detection/random.hpp"
#include "models/risk/pooled.hpp"
#include "models/risk/tenant_scorer.hpp"

using namespace pulse;
using pulse::detection::random_stream;
using pulse::scoring::tenant_scorer;

namespace {

constexpr std::int64_t start = 1'700'000'000'000;

std::size_t index_of(const char* name) {
  const auto& all = features::names();
  return static_cast<std::size_t>(std::find(all.begin(), all.end(), name) - all.begin());
}

event order(const std::string& customer, std::int64_t at, std::int64_t cents, const std::string& ip = "") {
  event e;
  e.type = "track";
  e.name = "Order Completed";
  e.customer = customer;
  e.occurred_at = e.received_at = time_ms{at};
  e.amount = money{cents, *parse_currency("EUR")};
  e.ip = ip;
  return e;
}

/// The definition, without any cleverness: all events that came before in the log.
struct oracle {
  std::vector<event> seen;

  /// Events of the entity in (t - width, t], this one included, their amount and the number of customers.
  struct sums {
    double events = 1, amount = 0;
    std::vector<std::string> customers;
  };

  std::optional<sums> window(const event& e, std::int64_t width, auto same) const {
    sums out;
    out.amount = static_cast<double>(e.amount->minor) / 100;
    out.customers = {e.customer};
    std::vector<event> kept;
    std::int64_t newest = INT64_MIN;
    for (const auto& s : seen) {
      if (!same(s))
        continue;
      // An event more than 24 h behind its entity is not taken in.
      if (newest != INT64_MIN && s.occurred_at.value < newest - day_ms)
        continue;
      newest = std::max(newest, s.occurred_at.value);
      kept.push_back(s);
    }
    if (newest != INT64_MIN && e.occurred_at.value < newest - day_ms)
      return std::nullopt;
    for (const auto& s : kept)
      if (s.occurred_at.value > e.occurred_at.value - width && s.occurred_at <= e.occurred_at) {
        out.events += 1;
        out.amount += static_cast<double>(s.amount->minor) / 100;
        out.customers.push_back(s.customer);
      }
    std::sort(out.customers.begin(), out.customers.end());
    out.customers.erase(std::unique(out.customers.begin(), out.customers.end()), out.customers.end());
    return out;
  }
};

bool near(float feature, double expected) {
  return std::abs(feature - expected) <= 1e-6 * std::max(1.0, std::abs(expected));
}

} // namespace

TEST_CASE("windows equal a brute-force oracle when events come in disorder", "[features][f:4.8]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    random_stream random(seed, 0);
    tenant_scorer scorer;
    oracle o;
    for (int i = 0; i < 300; ++i) {
      // Time goes on by about ten minutes an event; each comes up to 30 h late.
      const auto late = random.uniform() < 0.5 ? 0 : static_cast<std::int64_t>(random.below(30 * 3600)) * 1000;
      auto e = order("c" + std::to_string(random.below(3)), start + i * 600'000 - late, random.below(100'000),
                     "10.0.0." + std::to_string(random.below(2)));
      const auto row = scorer.score(e, log_offset{i});
      const auto same_customer = [&](const event& s) {
        return s.customer == e.customer;
      };
      const auto hour = o.window(e, hour_ms, same_customer), day = o.window(e, day_ms, same_customer);
      REQUIRE(hour.has_value() == !std::isnan(row[index_of("customer_events_1h")]));
      if (hour) {
        CHECK(near(row[index_of("customer_events_1h")], std::log1p(hour->events)));
        CHECK(near(row[index_of("customer_events_24h")], std::log1p(day->events)));
        CHECK(near(row[index_of("customer_amount_1h")], std::log1p(hour->amount)));
        CHECK(near(row[index_of("customer_amount_24h")], std::log1p(day->amount)));
      }
      const auto same_ip = [&](const event& s) {
        return s.ip == e.ip;
      };
      const auto ip_hour = o.window(e, hour_ms, same_ip), ip_day = o.window(e, day_ms, same_ip);
      REQUIRE(ip_hour.has_value() == !std::isnan(row[index_of("ip_events_1h")]));
      if (ip_hour) {
        CHECK(near(row[index_of("ip_events_1h")], std::log1p(ip_hour->events)));
        CHECK(near(row[index_of("ip_customers_24h")], std::log1p(static_cast<double>(ip_day->customers.size()))));
      }
      o.seen.push_back(e);
    }
  }
}

TEST_CASE("the customer's own history makes an amount odd", "[features][f:4.8]") {
  tenant_scorer scorer;
  for (int i = 0; i < 400; ++i) {
    auto e = order("c" + std::to_string(i % 20), start + i * minute_ms, i % 20 == 0 ? 100'000 + i : 2'000 + i);
    scorer.score(e, log_offset{i});
  }
  const auto z = [&](const char* customer) {
    return scorer.feature_row(order(customer, start + day_ms, 100'000))[index_of("amount_vs_customer")];
  };
  CHECK(std::abs(z("c0")) < 2);
  CHECK(z("c1") > 3);
  CHECK(z("nobody") > z("c0"));
}

TEST_CASE("less money in a window than usual is as usual to a model of the features, more is not",
          "[features][risk][f:4.8]") {
  tenant_scorer scorer;
  random_stream random(5, 0);
  std::vector<features::row> rows;
  for (int i = 0; i < 600; ++i) {
    auto e = order("c" + std::to_string(i % 20), start + i * 10 * minute_ms, 2'000 + random.below(2'000));
    rows.push_back(scorer.score(e, log_offset{i}));
  }
  const auto model = scoring::fit_on_features(rows, {.n_estimators = 30}).value();
  const auto score = [&](std::size_t column, double times) {
    std::vector<double> row;
    for (std::size_t j = 0; j < model.features().size(); ++j)
      row.push_back(model.typical(j));
    row[column] += std::log(times);
    return model.score(row).raw;
  };
  for (const auto* name : {"customer_amount_1h", "customer_amount_24h"}) {
    const auto& names = model.features();
    const auto column = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    REQUIRE(column < names.size());
    // By a hair below all of training, and by far.
    for (double times : {0.99, 0.5, 0.1, 0.01})
      CHECK(score(column, times) == score(column, 1));
    CHECK(score(column, 50) > score(column, 1));
  }
}

TEST_CASE("a new country or device is new only to who had another", "[features]") {
  tenant_scorer scorer;
  auto e = order("c", start, 100);
  e.country = "DE";
  CHECK(scorer.score(e, log_offset{0})[index_of("new_country")] == 0);
  e.occurred_at.value += 1000;
  CHECK(scorer.score(e, log_offset{1})[index_of("new_country")] == 0);
  e.country = "BR";
  CHECK(scorer.score(e, log_offset{2})[index_of("new_country")] == 1);
  CHECK(scorer.score(e, log_offset{3})[index_of("new_country")] == 0);
  e.country.clear();
  CHECK(std::isnan(scorer.score(e, log_offset{4})[index_of("new_country")]));
  CHECK(std::isnan(scorer.feature_row(e)[index_of("new_device")]));
}

TEST_CASE("an event without customer, amount or address has no such features and moves on", "[features]") {
  tenant_scorer scorer;
  event e;
  e.type = e.name = "page";
  e.occurred_at = time_ms{-5};
  const auto row = scorer.score(e, log_offset{0});
  for (auto name : {"amount_vs_customer", "items", "customer_events_1h", "ip_events_1h", "customer_age"})
    CHECK(std::isnan(row[index_of(name)]));
  auto extreme = order("c", INT64_MAX / 4, INT64_MAX);
  extreme.amount->unit = *parse_currency("JPY");
  extreme.products.push_back({"p", "", "", {1}, {INT64_MIN}});
  for (int i = 1; i < 2000; ++i)
    for (auto x : scorer.score(extreme, log_offset{i}))
      CHECK_FALSE(std::isinf(x));
}

TEST_CASE("the hour of day is that of event time, before 1970 too, and only labels make a model look at it",
          "[features][risk][f:4.8]") {
  const auto hour = index_of("hour_of_day");
  tenant_scorer scorer;
  CHECK(scorer.feature_row(order("c", 0, 100))[hour] == 0);
  CHECK(scorer.feature_row(order("c", 23 * hour_ms + 59 * minute_ms, 100))[hour] == 23);
  CHECK(scorer.feature_row(order("c", -1, 100))[hour] == 23);
  CHECK(scorer.feature_row(order("c", -day_ms, 100))[hour] == 0);
  auto late = order("c", 5 * hour_ms, 100);
  late.received_at.value += 3 * day_ms;
  CHECK(scorer.feature_row(late)[hour] == 5);
  std::vector<features::row> rows;
  for (int i = 0; i < 200; ++i) {
    auto e = order("c" + std::to_string(i % 7), start + i * 50 * minute_ms, 1'000 + i);
    rows.push_back(scorer.score(e, log_offset{i}));
    REQUIRE_FALSE(std::isnan(rows.back()[hour]));
  }
  const auto model = scoring::fit_on_features(rows, {.n_estimators = 5}).value();
  const auto has = [&](const char* name) {
    return std::count(model.features().begin(), model.features().end(), name) == 1;
  };
  CHECK_FALSE(has("hour_of_day"));
  CHECK(has("hour_rarity"));
  CHECK(has("customer_payments_7d"));
  CHECK(features::describe(hour, 3, 14) == "hour of day (UTC): 3 (usually 14)");
}

TEST_CASE("what is described can be recomputed from the stored feature", "[features]") {
  const auto i = index_of("customer_events_1h");
  CHECK(features::describe(i, std::log1p(12.0), std::log1p(1.0)) == "customer's events in 1 h: 12 (usually 1)");
  CHECK(features::describe(index_of("new_country"), 1, 0) == "country new for this customer: yes");
  CHECK(features::describe(index_of("customer_amount_1h"), std::log1p(1234.5), std::log1p(20.0)) ==
        "customer's amount in 1 h: 1,234.5 (usually 20)");
  CHECK(features::describe(index_of("customer_amount_1h"), -std::log1p(1857030.4), std::log1p(999.999)) ==
        "customer's amount in 1 h: -1,857,030 (usually 1,000)");
  CHECK(features::describe(index_of("customer_amount_1h"), 0, -1e-9) == "customer's amount in 1 h: 0 (usually 0)");
  CHECK(features::names().size() == features::count);
}

TEST_CASE("a model for programs of the last formats has no floors and no feature that they do not know",
          "[features][risk][f:11.10]") {
  CHECK(scoring::newest_files.columns == features::count);
  CHECK(features::names()[scoring::last_files.columns] == "hour_of_day");
  tenant_scorer scorer;
  std::vector<features::row> rows;
  for (int i = 0; i < 200; ++i) {
    auto e = order("c" + std::to_string(i % 7), start + i * 50 * minute_ms, 1'000 + i);
    rows.push_back(scorer.score(e, log_offset{i}));
  }
  const auto version_of = [](const detection::model& m) {
    const auto file = m.save();
    return static_cast<int>(file[8]);
  };
  const auto newest = scoring::fit_on_features(rows, {.n_estimators = 5}).value();
  const auto last = scoring::fit_on_features(rows, {.n_estimators = 5}, scoring::last_files).value();
  CHECK(version_of(newest) == detection::model_version_of_numbers);
  CHECK(version_of(last) == detection::model_version_without_floors);
  for (const auto& name : last.features()) {
    const auto at = std::find(features::names().begin(), features::names().end(), name) - features::names().begin();
    CHECK(static_cast<std::size_t>(at) < scoring::last_files.columns);
  }
}
