// Forecasts of a metric with intervals: forecasters (forecaster.hpp) compete on the series' own past, the best few are
// averaged, and the errors of that average there, by how far ahead they were, make the interval.
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
  /// The forecasters that were averaged.
  std::string method;
  /// The sum over all points; its interval is measured on sums, not summed up.
  forecast_point total;
};

struct forecast_options {
  /// In (0, 1): share of future points that the interval should hold.
  double level = 0.9;
  /// Days (their midnights, on the series' own clock) that follow no season: left out of learning, and expected at the
  /// share of a usual day that earlier ones reached.
  std::vector<time_ms> holidays = {};
  /// Distance of points; 0: the usual one.
  std::int64_t step_ms = 0;
};

/// `horizon` points after the last one, at the step. Gaps and NaN are filled from a season before, else from the
/// value before. Intervals stay at 0 or above where the whole series does. Errors: `invalid` for fewer than 3 points
/// with a value, a horizon outside 1 to 100,000 or a level outside (0, 1).
result<forecast> predict(const std::vector<point>& points, std::size_t horizon, const forecast_options& options = {});

/// A period's goal against what came so far and what is expected of the rest.
struct course {
  double expected = 0;
  double lower = 0;
  double upper = 0;
  /// expected / goal - 1: -0.08 is on course to miss by 8 %.
  double against_goal = 0;
  /// Even the interval's better end misses, or its worse end reaches the goal.
  bool sure = false;
};

/// Pure arithmetic; a goal of 0 gives against_goal 0.
course on_course(double so_far, const forecast_point& rest, double goal);

/// `on course to miss the month by 8 %`, `on course to beat the month by 3 %`, `on course` within half a percent.
std::string describe(const course& c, std::string_view period);

} // namespace pulse::series
