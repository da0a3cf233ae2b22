// See range.hpp.
#include "models/detection/range.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::detection {

namespace {

/// Share of training rows that may lie outside in any column, on each side.
constexpr double outside_share = 0.002;

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

} // namespace

column_range fit_range(std::vector<double> values, std::size_t columns) {
  std::erase_if(values, [](double x) { return !std::isfinite(x); });
  for (auto& x : values)
    x = bounded(x);
  if (values.empty())
    return {0, -INFINITY, INFINITY, 1};
  std::sort(values.begin(), values.end());
  const auto q = [&](double p) {
    return quantile(values, p);
  };
  const auto n = values.size();
  // At least the outermost value on each side is left out; of a few values there are none to spare.
  const auto spared = static_cast<double>(n) * outside_share / static_cast<double>(columns);
  const auto k = std::min(static_cast<std::size_t>(std::ceil(spared)), (n - 1) / 4);
  column_range out{q(0.5), values[k], values[n - 1 - k], q(0.9) - q(0.1)};
  for (auto spread : {q(0.99) - q(0.01), values.back() - values.front(), std::max(1.0, std::abs(out.typical))})
    if (!(out.scale > 0))
      out.scale = spread;
  return out;
}

double range_excess(const column_range& range, double x) {
  if (std::isnan(x))
    return 0;
  x = bounded(x);
  const auto outside = x > range.high ? x - range.high : x < range.low ? range.low - x : 0;
  return range_weight * std::log2(1 + outside / range.scale);
}

double bounded_excess(double sum) {
  return range_limit * sum / (range_limit + sum);
}

} // namespace pulse::detection
