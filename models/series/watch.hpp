// The watch over a tenant's metrics: hourly series of totals and segments in, a few incidents out, each with what moved
// and the segments that drive it. Keeps nothing: history comes with the question, so the same question has the same
// answer on any node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/series/baseline.hpp"
#include "models/series/detector.hpp"
#include "models/series/feedback.hpp"
#include "models/series/incident.hpp"

namespace pulse::series {

/// A metric by the hour, in its smallest unit (cents, orders): the total, or one segment of it.
struct metric_line {
  std::string metric;
  /// `store=12`, `campaign=spring`; empty for the total.
  std::string segment;
  std::vector<std::int64_t> values;
};

struct watch_question {
  /// Start of the first hour. All lines have the same number of hours.
  time_ms from;
  std::vector<metric_line> lines;
  /// Hours from here on were not judged before.
  std::size_t fresh = 0;
  /// The store's wall clock.
  std::vector<zone_offset> zone;
  /// When the incidents of the last seven days began that were told.
  std::vector<time_ms> told;
  /// When those of the whole history began that were withheld for what people had said.
  std::vector<time_ms> withheld = {};
  /// What people said of incidents, the earliest word first.
  std::vector<judged_incident> judged = {};
};

/// The metrics whose hours are watched.
inline constexpr std::string_view watched_metrics[] = {"orders", "revenue", "refunds", "events", "failed_payments"};

/// What is minded of one metric and its segments.
struct metric_watch {
  bool on = true;
  /// Times that of all.
  double sensitivity = 1;
  /// Without one: both; of refunds and failed payments up.
  std::optional<direction> side = std::nullopt;
};

struct watch_config {
  /// The false-alarm budget: never more incidents in any seven days.
  std::size_t per_week = 2;
  /// Alarms join an incident that had one so shortly before.
  std::int64_t gap_ms = 3 * hour_ms;
  /// Without so many hours of history nothing is said: three days.
  std::size_t hours_min = 72;
  /// Where fewer orders than these come and are expected in an hour, the hour says nothing.
  std::int64_t orders_min = 10;
  /// Above 1 alarms sooner, below 1 later.
  double sensitivity = 1;
  /// By name; of all others what metric_watch has.
  std::map<std::string, metric_watch, std::less<>> metrics = {};
};

/// A metric that moved in an incident.
struct moved {
  std::string metric;
  std::string segment;
  /// Sums over the incident's hours.
  std::int64_t value = 0;
  std::int64_t expected = 0;
  double strength = 0;
};

struct finding {
  /// Start of the first and of the last hour.
  time_ms first;
  time_ms last;
  /// Strongest first; totals before segments.
  std::vector<moved> what;
  /// Why the first of them alarmed, in words.
  std::string reason;
  /// Of the first one's metric; adds up to its value - expected.
  explanation parts;
};

/// The metric that leads, and its side.
incident_line line_of(const finding& f);
/// Of the rarest of all that moved.
double strength_of(const finding& f);
/// How rare times which share of what was expected moved, of the heaviest of all that moved. Rarity alone says little
/// of size: half of the orders lost is not much less rare than all of them.
double weight_of(const finding& f);

/// Found, and not told, since the like was called a false alarm.
struct withheld_finding {
  finding what;
  feedback_bar bar;
};

struct watch_answer {
  std::vector<finding> told;
  std::vector<withheld_finding> withheld;
  /// Over the budget, or weaker than what the budget has room for.
  std::size_t held = 0;
};

watch_answer watch(const watch_question& q, const watch_config& config = {});

/// What looks at each hour of the question, one after the other, would have told; what was told and judged before is
/// left out. The same code, each hour judged once.
watch_answer simulate(const watch_question& q, const watch_config& config = {});

} // namespace pulse::series
