// A metric over time as CSV gives it: timestamps ascending, one value each. Text in, points out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"

namespace pulse::series {

struct point {
  time_ms at;
  /// NaN where nothing was measured.
  double value = 0;
  /// The timestamp as it was written.
  std::string text;
};

/// `30s`, `5m`, `1h`, `1d`, `1w` in milliseconds; nothing for other text or 0.
std::optional<std::int64_t> parse_duration(std::string_view text);

/// RFC 3339, or the same without a zone (taken as UTC), or a date alone.
std::optional<time_ms> parse_timestamp(std::string_view text);

/// `t` in the form `like` has: with `T` or a space, with `Z` or nothing, without a fraction.
std::string format_like(time_ms t, std::string_view like);

/// Columns `timestamp` and `value`, found by name. Errors: `malformed` with the line (no such column, no time, no
/// number), `invalid` for timestamps that do not rise.
result<std::vector<point>> read_points(std::string_view csv_text);

/// The most frequent distance between neighbours; 0 for fewer than two points.
std::int64_t usual_step_ms(const std::vector<point>& points);

} // namespace pulse::series
