// See simulate.hpp.
#include "models/series/simulate.hpp"

#include <algorithm>

namespace pulse::series {

simulation simulate(const std::vector<point>& history, const detector_options& options) {
  simulation out;
  detector d(options);
  for (std::size_t i = 0; i < history.size(); ++i) {
    const auto& p = history[i];
    const auto v = d.next(p.at, p.value);
    if (v.anomaly)
      out.alarms.push_back({i, p.at, p.value, v.expected, v.score, d.reason()});
    out.verdicts.push_back(v);
  }
  if (history.empty())
    return out;
  out.weeks = static_cast<double>(history.back().at.value - history.front().at.value) / (7.0 * day_ms);
  if (out.weeks > 0)
    out.alarms_per_week = static_cast<double>(out.alarms.size()) / out.weeks;
  for (std::size_t first = 0, last = 0; last < out.alarms.size(); ++last) {
    while (out.alarms[last].at.value - out.alarms[first].at.value >= 7 * day_ms)
      ++first;
    out.worst_week = std::max(out.worst_week, last - first + 1);
  }
  return out;
}

} // namespace pulse::series
