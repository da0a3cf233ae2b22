// See feedback.hpp.
#include "models/series/feedback.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pulse::series {

namespace {

constexpr std::int64_t remembered_ms = 90 * day_ms;
constexpr double half_life_days = 56;
constexpr double clearly = 1.5;

/// What a false alarm of this weight asks after so long.
double asked(double weight, std::int64_t age_ms) {
  const auto days = static_cast<double>(std::max<std::int64_t>(0, age_ms)) / static_cast<double>(day_ms);
  return clearly * weight * std::exp2(-days / half_life_days);
}

} // namespace

std::optional<feedback_bar> bar_of(const std::vector<judged_incident>& words, const incident_line& line, time_ms now) {
  std::optional<feedback_bar> out;
  // From the latest word back, so that a false alarm meets the useful words that were given after it.
  auto useful = std::numeric_limits<double>::infinity();
  for (auto it = words.rbegin(); it != words.rend() && now.value - it->said.value < remembered_ms; ++it) {
    if (it->line != line)
      continue;
    if (it->useful) {
      useful = std::min(useful, it->weight);
      continue;
    }
    if (useful <= it->weight)
      continue;
    const auto needed = std::min(asked(it->weight, now.value - it->said.value), useful);
    if (!out || needed > out->needed)
      out = feedback_bar{needed, it->said};
  }
  return out;
}

feedback_quality replay_feedback(std::vector<judged_incident> judged, time_ms from, time_ms to) {
  std::stable_sort(judged.begin(), judged.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  auto words = judged;
  std::stable_sort(words.begin(), words.end(), [](const auto& a, const auto& b) { return a.said < b.said; });
  feedback_quality out;
  std::vector<judged_incident> given;
  auto next = words.begin();
  for (const auto& j : judged) {
    for (; next != words.end() && next->said < j.at; ++next)
      given.push_back(*next);
    if (j.at < from || j.at >= to)
      continue;
    out.judged.add(j.useful);
    (j.withheld ? out.withheld : out.told).add(j.useful);
    const auto bar = bar_of(given, j.line, j.at);
    const bool cut = j.withheld || (bar && j.weight < bar->needed);
    if (j.useful)
      out.recall_lost.hits += cut, ++out.recall_lost.all;
    else if (cut || bar)
      out.repeats_cut.hits += cut, ++out.repeats_cut.all;
  }
  return out;
}

} // namespace pulse::series
