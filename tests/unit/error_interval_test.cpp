// The interval that errors of the past give: what it holds of errors to come, also where there are few.
#include "models/series/error_interval.hpp"

#include <catch2/catch_test_macros.hpp>

#include "models/series/forecast.hpp"
#include "tests/support/noise.hpp"

using namespace pulse;
using namespace pulse::series;
using test::noise;

namespace {

constexpr std::size_t origins = 5, steps = 4;

/// Percent of next errors that 90 % intervals hold, when `independent` origins are claimed. Those of one origin differ
/// little from each other.
double held(std::size_t independent) {
  detection::random_stream random(1, 0);
  constexpr int runs = 4'000;
  int inside = 0;
  for (int run = 0; run < runs; ++run) {
    std::vector<past_error> errors;
    for (std::size_t o = 0; o < origins; ++o) {
      const auto common = noise(random);
      for (std::size_t k = 0; k < steps; ++k)
        errors.push_back(common + 0.2 * noise(random));
    }
    const auto [low, high] = error_interval(errors, independent, 0.9);
    const auto next = noise(random) + 0.2 * noise(random);
    inside += low <= next && next <= high;
  }
  return 100.0 * inside / runs;
}

} // namespace

TEST_CASE("errors of few origins give an interval that holds what it says", "[series][f:5.10]") {
  CHECK(held(origins) >= 85);
  CHECK(held(origins) <= 95);
  // Taken for independent of each other, the same errors promise too much.
  CHECK(held(origins * steps) < 80);
}

TEST_CASE("many errors give the conformal quantile", "[series][f:5.10]") {
  std::vector<past_error> errors;
  for (int i = 209; i >= 1; --i)
    errors.push_back(i);
  CHECK(error_interval(errors, 209, 0.9) == std::pair(10.0, 200.0));
  CHECK(error_interval(errors, 60, 0.9) == std::pair(10.0, 200.0));
}

TEST_CASE("late errors say more of the next one where they weigh more", "[series][f:5.10]") {
  const auto width = [](double early) {
    std::vector<past_error> errors;
    for (int i = 1; i <= 100; ++i) {
      errors.emplace_back(i, early);
      errors.emplace_back(2.0 * i, 1);
    }
    const auto [low, high] = error_interval(errors, 200, 0.9);
    return high - low;
  };
  CHECK(width(0.5) > width(1));
  // All of the same weight are all alike, however much that is.
  std::vector<past_error> heavy, light;
  for (int i = 1; i <= 60; ++i)
    heavy.emplace_back(i, 8), light.emplace_back(i, 1);
  CHECK(error_interval(heavy, 60, 0.9) == error_interval(light, 60, 0.9));
}

TEST_CASE("no error, one error and equal errors have an interval", "[series][f:5.10]") {
  CHECK(error_interval({}, 0, 0.9) == std::pair(0.0, 0.0));
  CHECK(error_interval({3}, 1, 0.9) == std::pair(3.0, 3.0));
  CHECK(error_interval({2, 2, 2}, 1, 0.9) == std::pair(2.0, 2.0));
}

TEST_CASE("a forecast from eight weekly values holds what it says", "[series][f:5.10]") {
  constexpr std::int64_t monday = 1'699'833'600'000;
  double inside = 0, all = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    detection::random_stream random(seed, 0);
    std::vector<point> weekly;
    for (std::int64_t i = 0; i < 10; ++i)
      weekly.push_back({time_ms{monday + i * 7 * day_ms}, 100 + 20 * noise(random), ""});
    const auto f = predict({weekly.begin(), weekly.end() - 2}, 2).value();
    for (std::size_t k = 0; k < 2; ++k, ++all)
      inside += f.points[k].lower <= weekly[8 + k].value && weekly[8 + k].value <= f.points[k].upper;
  }
  CHECK(inside >= 0.85 * all);
  CHECK(inside <= 0.96 * all);
}
