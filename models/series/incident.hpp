// One incident for what moves together: alarms of several metrics and segments close in time become one, and the
// segments that drive it are named with parts that add up exactly to the change of the total.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace pulse::series {

/// An alarm of one series: a metric, of all or of one segment.
struct series_alarm {
  std::string metric;
  /// `store=12`, `campaign=spring`; empty for the total.
  std::string segment;
  time_ms at;
  double score = 0;
};

struct incident {
  time_ms first;
  time_ms last;
  std::vector<series_alarm> alarms;
};

/// Alarms join an incident that had one at most `gap_ms` before them. Ascending by time in, ascending out.
std::vector<incident> group_alarms(std::vector<series_alarm> alarms, std::int64_t gap_ms);

/// What a segment was expected to bring in the incident's time and what it brought, in the metric's smallest unit
/// (cents, orders), so that sums are exact.
struct segment_change {
  std::string segment;
  std::int64_t expected = 0;
  std::int64_t actual = 0;

  std::int64_t change() const {
    return actual - expected;
  }
};

struct driver {
  std::string segment;
  std::int64_t expected = 0;
  std::int64_t actual = 0;
  std::int64_t change = 0;
  /// Of the total change; drivers' shares and the rest's add up to 1 where the total changed.
  double share = 0;
  /// How much more than its usual share of the total it moved: 1 is in step with all others.
  double lift = 0;
};

struct explanation {
  std::int64_t change = 0;
  /// Largest first, in the direction of the total first. Their changes and `rest` add up to `change` exactly.
  std::vector<driver> drivers;
  std::int64_t rest = 0;
  /// All segments moved about alike: no segment is to blame.
  bool broad = false;
};

/// `total` over all segments, listed or not: what no listed segment explains stays in `rest`. At most `drivers_max`
/// are named, each with at least a tenth of the change.
explanation explain(const segment_change& total, const std::vector<segment_change>& segments,
                    std::size_t drivers_max = 5);

} // namespace pulse::series
