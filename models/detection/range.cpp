// See range.hpp.
#include "models/detection/range.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::detection {

namespace {

/// Share of training rows that may lie outside in any column, on each side.
constexpr double outside_share = 0.0005;

/// Differences of such numbers stay finite.
double bounded(double x) {
  return std::clamp(x, -1e150, 1e150);
}

/// Linear interpolation between order statistics (Hyndman and Fan's type 7, numpy's default).
double quantile(std::span<const double> sorted, double p) {
  const auto at = p * static_cast<double>(sorted.size() - 1);
  const auto i = static_cast<std::size_t>(at);
  if (i + 1 >= sorted.size())
    return sorted.back();
  return std::lerp(sorted[i], sorted[i + 1], at - static_cast<double>(i));
}

/// Standard deviation of the values after moving those outside to the nearer limit.
double deviation_within(std::span<const double> values, double low, double high) {
  // Scaled to the limits first: squares of large numbers overflow.
  const auto width = high - low;
  if (!(width > 0))
    return 0;
  double sum = 0, squares = 0;
  for (auto x : values) {
    const auto u = (std::clamp(x, low, high) - low) / width;
    sum += u, squares += u * u;
  }
  const auto n = static_cast<double>(values.size());
  return width * std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)));
}

} // namespace

column_range fit_range(std::vector<double> values, std::size_t columns) {
  std::erase_if(values, [](double x) { return !std::isfinite(x); });
  std::sort(values.begin(), values.end());
  return range_of_sorted(std::move(values), columns);
}

column_range unlimited_range(std::vector<double> values) {
  std::erase_if(values, [](double x) { return !std::isfinite(x); });
  column_range out{0, -INFINITY, INFINITY, 1};
  if (values.empty())
    return out;
  const auto upper = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), upper, values.end());
  const auto lower = values.size() % 2 == 1 ? *upper : *std::max_element(values.begin(), upper);
  out.typical = std::lerp(bounded(lower), bounded(*upper), 0.5);
  return out;
}

column_range range_of_sorted(std::vector<double> values, std::size_t columns) {
  if (values.empty())
    return {0, -INFINITY, INFINITY, 1};
  for (auto& x : values)
    x = bounded(x);
  const auto q = [&](double p) {
    return quantile(values, p);
  };
  const auto n = values.size();
  // At least the outermost value on each side is left out; of a few values there are none to spare.
  const auto spared = static_cast<double>(n) * outside_share / static_cast<double>(columns);
  const auto k = std::min(static_cast<std::size_t>(std::ceil(spared)), (n - 1) / 4);
  column_range out{q(0.5), values[k], values[n - 1 - k], 0};
  // Most of a column may be one value: then its rare others say how far is far.
  out.scale = std::max(q(0.9) - q(0.1), 2 * deviation_within(values, out.low, out.high));
  for (auto spread : {values.back() - values.front(), std::max(1.0, std::abs(out.typical))})
    if (!(out.scale > 0))
      out.scale = spread;
  return out;
}

double range_excess(const column_range& range, double x) {
  if (std::isnan(x))
    return 0;
  x = bounded(x);
  const auto outside = x > range.high ? x - range.high : x < range.low ? range.low - x : 0;
  if (!(outside > 0))
    return 0;
  // A scale may be next to nothing.
  return range_weight * std::log2(1 + std::min(outside / range.scale, 1e300));
}

double bounded_excess(double sum) {
  return range_limit * sum / (range_limit + sum);
}

} // namespace pulse::detection
