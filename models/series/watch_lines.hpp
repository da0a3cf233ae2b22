// The hours of every line that is watched, as its detector judged them. Part of the watch; see watch.cpp.
#pragma once

#include <string_view>
#include <vector>

#include "models/series/watch.hpp"

namespace pulse::series {

/// What an hour of a line was, and what its detector made of it.
struct judged_line {
  const metric_line* line = nullptr;
  std::vector<double> expected;
  /// Rarity of an alarm; 0 where there was none.
  std::vector<double> strength;
  std::vector<std::string_view> reason;
};

inline std::size_t hours_of(const watch_question& q) {
  return q.lines.empty() ? 0 : q.lines.front().values.size();
}

inline time_ms hour(const watch_question& q, std::size_t i) {
  return {q.from.value + static_cast<std::int64_t>(i) * hour_ms};
}

/// In the question's order. Each hour by those before it alone, but for the floor of money, which is that of the whole
/// history.
std::vector<judged_line> judge_all(const watch_question& q, const watch_config& config);

} // namespace pulse::series
