// The metric detector: reads a series point by point, says before each what it expects and after it how odd it was.
// One pass, no look-ahead, bounded work a point, no setting per series. Unlike views (view.hpp) watch the same series,
// each judged by its own past; their mean decides.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/series/baseline.hpp"
#include "models/series/own_past.hpp"
#include "models/series/surprise.hpp"
#include "models/series/view.hpp"

namespace pulse::series {

enum class direction { both, up, down };

struct detector_options {
  /// Distance of points; 0: taken from the first two.
  std::int64_t step_ms = 0;
  /// `ensemble`, or the name of one view.
  std::string_view name = "ensemble";
  /// Above 1 alarms sooner, below 1 later.
  double sensitivity = 1;
  direction side = direction::both;
  /// Points whose value and expectation both lie below it never alarm: too little volume to say anything.
  double floor = 0;
  /// At most so many alarms in any seven days, whatever comes; 0: as many as there are.
  std::size_t alarms_per_week = 0;
  /// The store's wall clock.
  std::vector<zone_offset> zone = {};
};

struct verdict {
  double expected = 0;
  /// Between these lie 99 of 100 points when nothing is odd.
  double lower = 0;
  double upper = 0;
  /// 0 to 1; alarms are at 0.5 and above. Everything else is below, by how restless the last stretch was: an incident
  /// keeps its points high though it alarms once.
  double score = 0;
  bool anomaly = false;
};

/// How much of the oddness of the last point a view saw; shares add up to the total.
struct view_share {
  std::string_view name;
  std::string_view reason;
  double rarity = 0;
};

class detector {
public:
  explicit detector(detector_options options = {});

  /// Times do not go back. What is no finite number is expected like any point and never odd.
  verdict next(time_ms t, double x);

  /// Mean rarity (-log10 of a share of the past) over the views at the last point.
  double total() const {
    return total_;
  }

  /// How much of what an alarm needs the last points had by all views together, or the last one by itself. From 1 on it
  /// is one.
  double strength() const {
    return strength_;
  }

  /// What made the last point odd, in words.
  std::string_view reason() const;

  /// Largest first.
  std::vector<view_share> shares() const;

  /// `invalid` with the names there are when `name` is none of them.
  static result<void> check(std::string_view name);

private:
  struct watcher {
    const view_entry* entry;
    std::unique_ptr<view> eye;
    own_past past;
    double rarity = 0;
  };

  /// Squared distances of the last points, against their mean over the whole series.
  class swing {
  public:
    double next(double distance);

  private:
    double recent_ = 0;
    double sum_ = 0;
    double seen_ = 0;
  };

  void start();
  double believable(double x, double expected, double scale);
  /// A value as the views see it, and as the baseline learns it.
  struct taken {
    double seen;
    double learnt;
  };
  taken watch(time_ms local, double x, double expected);
  bool alarm(time_ms t, double x, double expected);
  double unrest(double x, double expected);
  double alarm_rarity() const;

  detector_options options_;
  std::vector<watcher> watchers_;
  std::optional<baseline> baseline_;
  /// Only beside the bundle: a view that is asked for by name judges alone.
  std::optional<surprise> surprise_;
  time_ms first_;
  double first_value_ = 0;
  std::size_t seen_ = 0;
  double scale_ = 0;
  double slow_ = 0;
  /// Points in a row that are off every scale.
  std::size_t wild_ = 0;
  /// Points since the last one that was not believed.
  std::size_t since_echo_ = 1'000;
  double lean_ = 0;
  double total_ = 0;
  double recent_ = 0;
  double alone_ = 0;
  double strength_ = 0;
  double heat_ = 0;
  double level_ = 0;
  swing from_level_, from_expected_;
  own_past residuals_;
  /// Strength that a new alarm has to exceed; falls back with time.
  double hold_ = 0;
  std::deque<time_ms> alarms_;
};

} // namespace pulse::series
