// What a point of a series usually is: its level, with the time of day or of week where the series follows them. Three
// experts compete, the one that erred least lately is asked.
#pragma once

#include <array>
#include <vector>

#include "base/time.hpp"

namespace pulse::series {

/// Weight of a new value so that an old one counts half after `points`.
double half_life_weight(double points);

/// Points that make a day, between 24 and 500: what "lately" means for a series.
double points_per_day(std::int64_t step_ms);

/// Offsets of local time from UTC: each holds from its instant on; before the first one the first holds. Empty: UTC.
struct zone_offset {
  time_ms from;
  std::int64_t offset_ms = 0;
};

/// `t` shifted to the wall clock of the zone.
time_ms to_local(time_ms t, const std::vector<zone_offset>& zone);

/// Usual values by time of day or time of week, each slot a plain mean over its first visits, then one that forgets.
class season {
public:
  season(std::int64_t period_ms, std::int64_t slot_ms);
  double at(time_ms t) const;
  void add(time_ms t, double x, std::int64_t step_ms);
  /// Each slot was visited twice on average.
  bool known() const;

private:
  std::size_t slot(std::int64_t t) const;

  std::int64_t period_ms_;
  std::int64_t slot_ms_;
  std::vector<double> mean_;
  std::vector<double> weight_;
  double visits_ = 0;
};

class baseline {
public:
  explicit baseline(std::int64_t step_ms);

  /// The expected value at t (local time), from what was learnt before.
  double expect(time_ms t);
  /// x without the season that `expect` used.
  double deseasoned(time_ms t, double x) const;
  void learn(time_ms t, double x);

private:
  struct expert {
    double level = 0;
    double error = 0;
    double predicted = 0;
  };

  double season_of(std::size_t which, time_ms t) const;

  std::int64_t step_ms_;
  std::size_t seen_ = 0;
  std::size_t best_ = 0;
  /// Level alone, level and time of day, level and time of week.
  std::array<expert, 3> experts_;
  season day_;
  season week_;
};

} // namespace pulse::series
