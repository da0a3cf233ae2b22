// The distance outside the usual range of a column. An isolation forest cannot see it: a value beyond all of
// training falls in the edge's leaf. Limits come from robust quantiles, so that one dirty row does not widen them.
#pragma once

#include <span>
#include <vector>

namespace pulse::detection {

struct column_range {
  /// Median of training: what is typical.
  double typical = 0;
  /// Inside [low, high] the distance is 0.
  double low = 0;
  double high = 0;
  /// What the distance is measured in: p90 - p10 or two deviations within the limits, whichever is more; the whole
  /// width where both are 0.
  double scale = 1;
};

/// Limits are order statistics: on each side the outermost ceil(0.0005 n / columns) values are taken for dirt, so that
/// over all columns together about one row in 1,000 lies outside. NaN and infinities are left out; a column without a
/// finite value is never out of range.
column_range fit_range(std::vector<double> values, std::size_t columns);

/// The median of the finite values alone: nothing is outside.
column_range unlimited_range(std::vector<double> values);

/// fit_range of finite values that are sorted already.
column_range range_of_sorted(std::vector<double> values, std::size_t columns);

/// Log2 units: 0 inside, `range_weight` * log2(1 + distance / scale) outside, 0 for NaN.
double range_excess(const column_range& range, double x);

/// Excesses of all columns added up and bounded smoothly: sum -> range_limit * sum / (range_limit + sum).
double bounded_excess(double sum);

inline constexpr double range_weight = 4;
inline constexpr double range_limit = 20;

} // namespace pulse::detection
