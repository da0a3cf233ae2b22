// See surprise.hpp.
#include "models/series/surprise.hpp"

#include <algorithm>
#include <cmath>

#include <boost/math/special_functions/gamma.hpp>

#include "models/series/baseline.hpp"

namespace pulse::series {

namespace {

/// Days in which the baseline learns the season and its errors say nothing of the series' scatter; days of scatter
/// before anything is said; the half-life of phi.
constexpr double days_unknown = 7;
constexpr double days_min = 7;
constexpr double phi_days = 14;
/// A residual counts for phi as if it were no larger than so many times what is usual: incidents are no usual scatter.
constexpr double outlier = 9;
constexpr double probability_min = 1e-30;
/// From such counts on the normal law is exact enough, and quicker.
constexpr double large = 1e5;

/// Of a Poisson law with mean m, carried on to values between the whole numbers: P(X <= x), P(X >= x), the smaller.
double tail(double x, double m) {
  if (std::max(x, m) > large)
    return std::erfc(std::abs(x - m) / std::sqrt(2 * m)) / 2;
  const auto above = x <= 0 ? 1 : boost::math::gamma_p(x, m);
  return std::min(boost::math::gamma_q(x + 1, m), above);
}

} // namespace

surprise::surprise(std::int64_t step_ms, double a_week) :
  active_(step_ms >= step_of_one_ms),
  points_a_day_(static_cast<double>(day_ms) / static_cast<double>(std::max<std::int64_t>(step_ms, 1))),
  needed_(std::log10(7 * points_a_day_ / a_week)) {
}

double surprise::strength(double x, double expected) {
  if (!active_ || x < 0) {
    active_ = false;
    return 0;
  }
  if (static_cast<double>(++unknown_) <= days_unknown * points_a_day_)
    return 0;
  const auto mean = std::max(expected, 0.0);
  double out = 0;
  if (mean > 0 && phi_ > 0) {
    const auto scaled = x / phi_, m = std::max(mean / phi_, 1e-3);
    const auto odd = -std::log10(std::clamp(2 * tail(scaled, m), probability_min, 1.0));
    const auto rare = past_.rarity(odd);
    if (static_cast<double>(seen_) >= days_min * points_a_day_)
      out = std::min(odd, rare) / needed_;
  }
  if (mean > 0) {
    const auto ratio = (x - mean) * (x - mean) / mean;
    const auto weight = std::max(1.0 / static_cast<double>(seen_ + 1), half_life_weight(phi_days * points_a_day_));
    phi_ += weight * ((phi_ > 0 ? std::min(ratio, outlier * phi_) : ratio) - phi_);
    ++seen_;
  }
  return out;
}

} // namespace pulse::series
