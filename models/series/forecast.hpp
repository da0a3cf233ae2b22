// Forecasts of a metric with intervals: a few simple forecasters compete on the series' own past, the best one goes on,
// and its errors there, by how far ahead they were, make the interval.
#pragma once

#include <string>
#include <vector>

#include "models/series/series.hpp"

namespace pulse::series {

struct forecast_point {
  time_ms at;
  double expected = 0;
  double lower = 0;
  double upper = 0;
};

struct forecast {
  std::vector<forecast_point> points;
  /// `level`, or `mean of the last 4 seasons of 168 points, with level`.
  std::string method;
};

/// `horizon` points after the last one, at the usual step; `level` in (0, 1) is the share of future points that the
/// interval should hold. Gaps and NaN are filled from a season before, else from the value before. Intervals stay at 0
/// or above where the whole series does. Errors: `invalid` for fewer than 3 points with a value, a horizon outside
/// 1 to 100,000 or a level outside (0, 1).
result<forecast> predict(const std::vector<point>& points, std::size_t horizon, double level);

} // namespace pulse::series
