// Drift of a tenant's events against those that its model was fitted on: named when it is there, silent when it is not.
#include <algorithm>
#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "models/risk/drift_check.hpp"
#include "models/risk/pooled.hpp"

using namespace pulse;
using namespace pulse::scoring;

namespace {

/// A quarter of an hour between events, all features drawn alike; `shift` moves one of them.
std::vector<timed_row> events(std::size_t n, std::uint64_t seed, std::int64_t from_ms, float shift = 0,
                              std::size_t column = 1) {
  detection::random_stream random(seed, 0);
  std::vector<timed_row> out(n);
  for (std::size_t i = 0; i < n; ++i) {
    out[i].at = time_ms{from_ms + static_cast<std::int64_t>(i) * 900'000};
    out[i].row.fill(NAN);
    for (std::size_t j = 0; j < features::base_count; ++j)
      out[i].row[j] = static_cast<float>(random.uniform() + random.uniform());
    out[i].row[column] += shift;
  }
  return out;
}

placed_model fitted_on(const std::vector<timed_row>& rows) {
  std::vector<features::row> plain;
  for (const auto& r : rows)
    plain.push_back(r.row);
  return place(std::make_shared<const detection::model>(fit_on_features(plain, {.n_estimators = 20}).value())).value();
}

constexpr std::int64_t start = 1'700'000'000'000;
constexpr std::int64_t later = start + 60 * day_ms;

} // namespace

TEST_CASE("a feature that moved is named, others are not", "[risk][f:5.2]") {
  const auto reference = events(3'000, 1, start);
  const auto model = fitted_on(reference);
  CHECK(check_drift(reference, events(1'000, 2, later), model).drifted().empty());
  const auto moved = check_drift(reference, events(1'000, 3, later, 0.5f, 4), model).drifted();
  REQUIRE_FALSE(moved.empty());
  CHECK(moved.front() == "customer_events_1h");
  for (const auto& name : moved)
    CHECK((name == "customer_events_1h" || name == "score"));
}

TEST_CASE("rows that look alike column by column but unusual together move the score", "[risk][f:5.2]") {
  auto reference = events(3'000, 1, start);
  for (auto& r : reference)
    r.row[5] = r.row[4];
  auto latest = events(1'000, 2, later);
  for (auto& r : latest)
    r.row[5] = 2 - r.row[4];
  const auto moved = check_drift(reference, latest, fitted_on(reference)).drifted();
  CHECK(std::find(moved.begin(), moved.end(), "score") != moved.end());
}

TEST_CASE("a few events say nothing", "[risk][f:5.2]") {
  const auto reference = events(600, 1, start);
  const auto report = check_drift(reference, events(20, 3, later, 5), fitted_on(reference));
  CHECK(report.rows == 20);
  CHECK(report.findings.empty());
}
