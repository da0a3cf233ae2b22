// Drift: quiet without it, named with it, not fooled by the week.
#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <limits>

#include "models/detection/drift.hpp"
#include "models/detection/random.hpp"

using namespace pulse;
using namespace pulse::detection;

namespace {

double bell(random_stream& random) {
  double x = -6;
  for (int k = 0; k < 12; ++k)
    x += random.uniform();
  return x;
}

struct shop {
  random_stream random;

  /// Two columns of noise, one that is higher at weekends, a constant one.
  std::vector<double> row(std::size_t part) {
    return {bell(random), std::exp(bell(random)), bell(random) + (part >= 4 ? 2 : 0), 7};
  }
};

std::size_t draw_part(random_stream& random) {
  return random.below(28) < 20 ? random.below(4) : 4 + random.below(4);
}

drift_reference reference_of(shop& s, std::size_t rows) {
  std::vector<double> values;
  std::vector<std::uint8_t> parts;
  for (std::size_t i = 0; i < rows; ++i) {
    parts.push_back(static_cast<std::uint8_t>(draw_part(s.random)));
    const auto row = s.row(parts.back());
    values.insert(values.end(), row.begin(), row.end());
  }
  return {values, {"noise", "amount", "weekly", "same"}, parts};
}

bool any_drift(const drift_window& w) {
  const auto found = w.look();
  return !found.empty() && found[0].drifted;
}

} // namespace

TEST_CASE("windows without drift raise no alarm, small or large", "[detection][drift][f:10.4]") {
  shop s{random_stream(1, 0)};
  const auto reference = reference_of(s, 5000);
  int alarms = 0;
  for (int k = 0; k < 400; ++k) {
    drift_window w(reference);
    const std::size_t rows = k % 2 == 0 ? 100 : 500;
    for (std::size_t i = 0; i < rows; ++i) {
      const auto part = draw_part(s.random);
      w.add(s.row(part), part);
    }
    alarms += any_drift(w);
  }
  CHECK(alarms <= 3);
}

TEST_CASE("a weekend is compared with weekends", "[detection][drift][f:10.4]") {
  shop s{random_stream(2, 0)};
  const auto reference = reference_of(s, 5000);
  drift_window w(reference);
  for (std::size_t i = 0; i < 1000; ++i)
    w.add(s.row(4 + i % 4), 4 + i % 4);
  CHECK_FALSE(any_drift(w));
}

TEST_CASE("without the parts of the week a weekend would look like drift", "[detection][drift][negative][f:10.4]") {
  shop s{random_stream(2, 0)};
  const auto reference = reference_of(s, 5000);
  drift_window w(reference);
  for (std::size_t i = 0; i < 1000; ++i)
    w.add(s.row(4 + i % 4), i % 4);
  REQUIRE(any_drift(w));
  CHECK(w.look()[0].name == "weekly");
}

TEST_CASE("a shift of a quarter deviation is found in 1,000 events and named", "[detection][drift][f:10.4]") {
  shop s{random_stream(3, 0)};
  const auto reference = reference_of(s, 20'000);
  int named = 0;
  for (int k = 0; k < 60; ++k) {
    drift_window w(reference);
    for (std::size_t i = 0; i < 1000; ++i) {
      const auto part = draw_part(s.random);
      auto row = s.row(part);
      row[0] += 0.25;
      w.add(row, part);
    }
    const auto found = w.look();
    named += found[0].drifted && found[0].name == "noise";
  }
  CHECK(named >= 57);
}

TEST_CASE("a currency taken for its hundredth is found in 50 events", "[detection][drift][f:10.4]") {
  shop s{random_stream(4, 0)};
  const auto reference = reference_of(s, 5000);
  drift_window w(reference);
  for (std::size_t i = 0; i < 49; ++i)
    w.add(std::vector<double>{0, 100, 0, 7}, 0);
  CHECK(w.look().empty());
  shop other{random_stream(5, 0)};
  drift_window hundredfold(reference);
  for (std::size_t i = 0; i < 50; ++i) {
    auto row = other.row(i % 4);
    row[1] *= 100;
    hundredfold.add(row, i % 4);
  }
  const auto found = hundredfold.look();
  REQUIRE(found[0].drifted);
  CHECK(found[0].name == "amount");
  CHECK(found[0].psi > found[0].psi_limit);
  CHECK_FALSE(found[1].drifted);
}

TEST_CASE("a constant that changes and a column that goes missing are drift", "[detection][drift][f:10.4]") {
  shop s{random_stream(6, 0)};
  const auto reference = reference_of(s, 2000);
  drift_window changed(reference), gone(reference);
  for (std::size_t i = 0; i < 200; ++i) {
    const auto part = draw_part(s.random);
    auto row = s.row(part);
    row[3] = 8;
    changed.add(row, part);
    row[3] = 7;
    row[0] = std::numeric_limits<double>::quiet_NaN();
    gone.add(row, part);
  }
  CHECK(changed.look()[0].name == "same");
  CHECK(changed.look()[0].drifted);
  CHECK(gone.look()[0].name == "noise");
  CHECK(gone.look()[0].drifted);
}

TEST_CASE("parts of the week are workdays and weekends by six hours", "[detection][drift]") {
  CHECK(week_part(*parse_time("2026-11-25T05:59:59Z")) == 0);
  CHECK(week_part(*parse_time("2026-11-25T23:00:00Z")) == 3);
  CHECK(week_part(*parse_time("2026-11-28T00:00:00Z")) == 4);
  CHECK(week_part(*parse_time("2026-11-29T12:00:00Z")) == 6);
  CHECK(week_part(*parse_time("1969-12-31T06:00:00Z")) == 1);
}
