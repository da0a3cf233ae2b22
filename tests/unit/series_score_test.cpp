// The judges of benchmarks are held against known cases.
#include <array>
#include <cmath>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "tests/support/series_score.hpp"

using namespace pulse::judge;

namespace {

constexpr std::size_t n = 1'000;
const window_list two{{300, 399}, {700, 799}};

double normalised(const std::array<bool, n>& alarms, nab_profile p) {
  return nab_normalised(nab_score(alarms, two, p).raw, two.size(), p);
}

} // namespace

TEST_CASE("NAB gives 0 to silence and 100 to an alarm at each window's begin", "[judge]") {
  for (const auto p : {nab_standard, nab_low_fp, nab_low_fn}) {
    std::array<bool, n> alarms{};
    CHECK(normalised(alarms, p) == Catch::Approx(0).margin(1e-9));
    alarms[300] = alarms[700] = true;
    CHECK(normalised(alarms, p) == Catch::Approx(100));
    // A second alarm inside costs and brings nothing.
    alarms[350] = true;
    CHECK(normalised(alarms, p) == Catch::Approx(100));
    alarms[100] = true;
    CHECK(normalised(alarms, p) == Catch::Approx(100));
  }
}

TEST_CASE("NAB counts late detections less and false alarms by their distance", "[judge]") {
  std::array<bool, n> alarms{};
  alarms[399] = true;
  // The last point of a window: 2 / (1 + e^-0.05) - 1 over the same for a whole window.
  const auto late = (2 / (1 + std::exp(-0.05)) - 1) / (2 / (1 + std::exp(-5.0)) - 1);
  CHECK(nab_score(alarms, two, nab_standard).raw == Catch::Approx(late - 1));
  alarms[399] = false;
  alarms[200] = true;
  CHECK(nab_score(alarms, two, nab_standard).raw == Catch::Approx(-2 - 0.11));
  alarms[200] = false;
  alarms[400] = true;
  const auto near = 0.11 * (2 / (1 + std::exp(5.0 / 99)) - 1);
  CHECK(nab_score(alarms, two, nab_standard).raw == Catch::Approx(-2 + near));
  CHECK(nab_score(alarms, two, nab_standard).false_alarms == 1);
}

TEST_CASE("VUS-PR is near 1 for the labels themselves and near their share for chance", "[judge]") {
  std::vector<double> perfect(n), chance(n);
  pulse::detection::random_stream random(7, 0);
  for (std::size_t i = 0; i < n; ++i)
    chance[i] = random.uniform();
  for (const auto& [first, last] : two)
    for (auto i = first; i <= last; ++i)
      perfect[i] = 1;
  CHECK(vus_pr(perfect, two, 20) > 0.9);
  CHECK(vus_pr(chance, two, 20) == Catch::Approx(0.2).margin(0.08));
}

TEST_CASE("POLY leaves a line alone and sees what sticks out of it", "[judge]") {
  std::vector<double> x(n);
  for (std::size_t i = 0; i < n; ++i)
    x[i] = 3 + 0.5 * static_cast<double>(i);
  for (auto r : poly_residual(x, 1, 20, 1))
    CHECK(r < 1e-6);
  x[500] += 10;
  const auto r = poly_residual(x, 1, 20, 1);
  CHECK(r[500] == Catch::Approx(10).margin(1e-6));
  CHECK(r[480] < 1);
}
