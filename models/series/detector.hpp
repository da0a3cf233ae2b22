// The metric detector: reads a series point by point, says before each what it expects and after it how odd it was.
// One pass, no look-ahead, constant work a point, no setting per series. Three views of the same series are watched
// (residual, shift of level, change of spread), each judged by the tail of its own past.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "base/time.hpp"

namespace pulse::series {

/// How rare a value is among its own past: the last `size_max` values are kept; beyond their top share the tail is a
/// power law by Hill's estimator (1975), so heavy tails do not alarm all the time.
class own_past {
public:
  /// -log10 of the share of values at least as large where that is small, else 0; 0 until there are enough. Then takes
  /// the value in.
  double rarity(double x);
  /// The value that a share p of the past exceeds.
  double limit(double p) const;

  std::size_t size() const {
    return order_.size();
  }

private:
  std::deque<double> order_;
  std::vector<double> sorted_;
};

/// Usual values by time of day or time of week, each slot an exponential mean over its visits.
class season {
public:
  season(std::int64_t period_ms, std::int64_t slot_ms);
  double at(time_ms t) const;
  void add(time_ms t, double x, std::int64_t step_ms);
  /// Share of slots with at least two visits.
  bool known() const;

private:
  std::size_t slot(std::int64_t t) const;

  std::int64_t period_ms_;
  std::int64_t slot_ms_;
  std::vector<double> mean_;
  std::vector<double> weight_;
  double visits_ = 0;
};

struct detector_options {
  /// Distance of points; 0: taken from the first two.
  std::int64_t step_ms = 0;
  /// Sum of the three views' rarities (-log10 of shares) from which on a point is an alarm.
  double alarm_rarity = 3.5;
};

struct verdict {
  double expected = 0;
  /// Between these lie 99 of 100 points when nothing is odd.
  double lower = 0;
  double upper = 0;
  /// 0 to 1; 0.5 is where alarms begin.
  double score = 0;
  bool anomaly = false;
};

class detector {
public:
  explicit detector(detector_options options = {});

  /// Times do not go back. A NaN is expected like any point and never odd.
  verdict next(time_ms t, double x);

private:
  struct expert {
    double level = 0;
    double error = 0;
    double predicted = 0;
  };

  double season_of(std::size_t which, time_ms t) const;
  std::size_t best() const;
  void learn(time_ms t, double x);
  double watch(double residual, double deseasoned);
  double habituated(double rarity);

  detector_options options_;
  time_ms last_;
  std::size_t seen_ = 0;
  /// Level alone, level and time of day, level and time of week.
  std::array<expert, 3> experts_;
  season day_;
  season week_;
  double scale_ = 0;
  double fast_ = 0, slow_ = 0;
  double spread_fast_ = 0, spread_slow_ = 0;
  own_past residuals_, shifts_, spreads_;
  /// Rarity that a new alarm has to exceed; falls back with time.
  double hold_ = 0;
};

} // namespace pulse::series
