// From what a shop has by day to its campaigns' histories: when each ran, which segments it spoke to, and which others
// show what these would have brought without it. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/campaign/effect.hpp"

namespace pulse::campaign {

/// One campaign as its events tell it. Days are those of the shop's clock, numbered from the first that was asked for.
struct activity {
  std::string name;
  /// Events that name the campaign, by day.
  std::vector<double> events;
  /// What was spent on it.
  double spend = 0;
};

/// Orders that name the campaign, by segment of one dimension.
struct reach {
  std::string dimension;
  std::vector<std::pair<std::string, double>> orders;
};

/// Revenue by segment of one dimension, by day; all of the same length.
struct split {
  std::string dimension;
  std::vector<std::pair<std::string, std::vector<double>>> segments;
};

struct report {
  std::string name;
  /// First day, and the day after the last one, on which the campaign was seen; both 0 where it was not.
  std::size_t begin = 0;
  std::size_t end = 0;
  double spend = 0;
  /// The segments it spoke to, of `dimension`; empty where none were told apart.
  std::string dimension;
  std::vector<std::string> segments;
  measured result;
};

/// A campaign runs from its first to its last day with a twentieth of its busiest day's events or more. It spoke to the
/// fewest segments that have nine tenths of its orders; the others are its control, where they have a fifth of the
/// revenue at least. Of several dimensions the one is taken in which the control is largest.
report measure_campaign(const activity& a, const std::vector<reach>& reaches, const std::vector<split>& splits,
                        double level = 0.9);

} // namespace pulse::campaign
