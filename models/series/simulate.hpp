// A detector on history: what it would have said, had it run, so that settings are judged before they alarm anybody.
#pragma once

#include <vector>

#include "models/series/detector.hpp"
#include "models/series/series.hpp"

namespace pulse::series {

struct alarm {
  std::size_t index = 0;
  time_ms at;
  double value = 0;
  double expected = 0;
  double score = 0;
  /// The view that saw most of it.
  std::string_view reason;
};

struct simulation {
  std::vector<verdict> verdicts;
  std::vector<alarm> alarms;
  double weeks = 0;

  /// Over the whole history, and in the seven days that had most.
  double alarms_per_week = 0;
  std::size_t worst_week = 0;
};

/// The same verdicts as a detector fed live, point by point.
simulation simulate(const std::vector<point>& history, const detector_options& options = {});

} // namespace pulse::series
