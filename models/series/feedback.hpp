// What people said of incidents, and what follows for the next one: an incident like one that was called a false alarm
// is withheld unless it is clearly heavier. Then the price of that: how many repeats it cut, how many incidents that
// people wanted it kept from them. Pure; all words come with the question.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace pulse::series {

/// What incidents are alike by: the metric and the segment that lead, and the side. Of another line nothing is said.
struct incident_line {
  std::string metric;
  std::string segment;
  bool up = false;

  auto operator<=>(const incident_line&) const = default;
};

/// An incident that somebody judged, by its latest word.
struct judged_incident {
  incident_line line;
  /// How rare and how large: see weight_of (watch.hpp).
  double weight = 0;
  /// When it was told or withheld.
  time_ms at;
  /// When the word was given.
  time_ms said;
  bool useful = false;
  /// Stored, and told to nobody.
  bool withheld = false;
};

/// The weight from which on an incident of a line is told, and the word that says so.
struct feedback_bar {
  double needed = 0;
  time_ms said;
};

/// What the words on a line, the earliest first, ask of its next incident at `now`; nothing when none asks anything.
///
/// A false alarm asks for half as much again as its own weight: the same cause seldom weighs more when it comes again,
/// and what is clearly worse gets through at once. Half of that after eight weeks, when nothing is left of the history
/// that it was judged by; so the same is told again after about five weeks, to be judged anew, and after 90 days the
/// word is forgotten. A useful word that was given later takes this back: what is as heavy as a useful one is told, and
/// a false alarm that was as heavy or heavier asks nothing any more.
std::optional<feedback_bar> bar_of(const std::vector<judged_incident>& words, const incident_line& line, time_ms now);

struct verdict_counts {
  std::int64_t useful = 0;
  std::int64_t false_alarm = 0;

  void add(bool is_useful) {
    ++(is_useful ? useful : false_alarm);
  }

  std::int64_t total() const {
    return useful + false_alarm;
  }
};

/// `hits` of `all`.
struct hit_counts {
  std::int64_t hits = 0;
  std::int64_t all = 0;
};

struct feedback_quality {
  /// Told and withheld.
  verdict_counts judged;
  /// Told: the share of useful ones is what receivers see.
  verdict_counts told;
  verdict_counts withheld;
  /// False alarms of a line that had a word against it when they came, and those that were or would have been withheld.
  hit_counts repeats_cut;
  /// Useful ones, and those that were or would have been withheld.
  hit_counts recall_lost;
};

/// Goes through the incidents in the order they came and asks of each what the words given until then would have made
/// of it: never one that was given later, its own least of all. Counts those of [from, to); earlier ones are only
/// words.
feedback_quality replay_feedback(std::vector<judged_incident> judged, time_ms from, time_ms to);

} // namespace pulse::series
