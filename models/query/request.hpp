// Questions as they come in a URL's query, read into structs: every problem at once, each with its place. Pure; the
// time of asking is an input.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/query/cursor.hpp"
#include "models/query/metric.hpp"

namespace pulse::query {

/// Decoded names and values, in order.
using parameters = std::vector<std::pair<std::string, std::string>>;

struct problem {
  /// `/` and the parameter's name.
  std::string pointer;
  std::string code;
  std::string detail;
};

using problems = std::vector<problem>;

template <class T>
using read = std::variant<T, problems>;

/// One answer holds at most so many points, all groups together.
inline constexpr std::int64_t points_max = 50'000;

struct metric_question {
  query::metric metric = metric::events;
  /// Half-open, of `occurred_at`.
  time_ms from;
  time_ms to;
  query::granularity granularity = granularity::hour;
  /// IANA name; empty: the tenant's.
  std::string timezone;
  std::optional<dimension> group_by;
  /// By dimension: the value that is asked for.
  std::array<std::optional<std::string>, dimension_count> filters;
  /// Events of test keys instead of the others.
  bool test = false;

  const std::optional<std::string>& filter(dimension d) const {
    return filters[static_cast<std::size_t>(d)];
  }
};

/// Without `from`: 24 hours before `to`; without `to`: the next whole minute. Without `granularity`: by the range.
read<metric_question> read_metric_question(const metric_info& metric, const parameters& given, time_ms now);

/// What a page of any list has.
struct page_question {
  std::optional<time_ms> from;
  std::optional<time_ms> to;
  std::int64_t limit = 100;
  /// The last id of the page before.
  std::optional<uuid> after;
  fingerprint question{};
};

/// A list without filters of its own.
read<page_question> read_page_question(const parameters& given);

struct events_question : page_question {
  std::array<std::optional<std::string>, dimension_count> filters;
  std::optional<std::string> type;
  /// User or anonymous id.
  std::optional<std::string> customer;
  std::optional<std::string> outcome;
  /// Thousandths.
  std::optional<std::int32_t> min_risk_milli;
  bool test = false;
  bool oldest_first = false;
};

read<events_question> read_events_question(const parameters& given);

struct failed_question : page_question {
  std::optional<std::string> code;
  std::optional<std::string> stage;
};

read<failed_question> read_failed_question(const parameters& given);

struct trail_question {
  std::optional<time_ms> from;
  std::optional<time_ms> to;
};

read<trail_question> read_trail_question(const parameters& given);

} // namespace pulse::query
