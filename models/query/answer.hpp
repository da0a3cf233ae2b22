// From counted rows to the answer: which stretch of time is read from where, and what the sums mean as values. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "models/query/request.hpp"
#include "models/rollup/rollup.hpp"

namespace pulse::query {

enum class origin : std::uint8_t { quarters, minutes, events };

/// A stretch of time and the table that counts it.
struct piece {
  query::origin origin = origin::events;
  time_ms from;
  time_ms to;

  bool operator==(const piece&) const = default;
};

/// Whole quarters of an hour from their rollup, what is left at the edges from the minutes where these are still kept
/// (14 days), and the rest from the events. In order, without gaps.
std::vector<piece> split_range(time_ms from, time_ms to, granularity g, time_ms now);

/// At most one dimension, an additive metric, and no test events: rollups answer it.
bool rollups_answer(const metric_question& q);

/// Sums of one group, bucket and currency.
struct sums_row {
  /// Nothing: no group, or events without a value of it.
  std::optional<std::string> group;
  time_ms bucket;
  std::string currency;
  rollup::measures sums;
};

/// Distinct things of one group and bucket.
struct distinct_row {
  std::optional<std::string> group;
  /// Nothing: the whole range.
  std::optional<time_ms> bucket;
  /// Customers, or sessions.
  std::int64_t things = 0;
  /// Sessions with an order.
  std::int64_t converted = 0;
};

/// A count, a mean or ratio, or money as a decimal string.
using value = std::variant<std::int64_t, double, std::string>;

/// For reckoning with; money in whole units.
double number_of(const value& v);

struct series {
  /// Nothing in a grouped answer: events without a value of the dimension.
  std::optional<std::string> group;
  /// One a bucket.
  std::vector<value> points;
};

struct metric_answer {
  metric_question question;
  /// ISO 4217 code for money, else the metric's unit.
  std::string unit;
  bool from_events = false;
  /// Receipt of the newest event that is counted; nothing before the first.
  std::optional<time_ms> fresh_until;
  std::vector<time_ms> buckets;
  std::vector<query::series> series;
  query::value total;
  /// Money in other currencies than the tenant's, which is in no value; ordered by currency.
  std::vector<money> other_currencies;
};

/// What both kinds of metric start from: the question with its zone, the buckets, the tenant's currency (empty: not
/// known yet).
struct answer_frame {
  metric_question question;
  std::vector<time_ms> buckets;
  std::string currency;
};

/// `whole`: rows without groups; `grouped`: rows of the groups that have a value, empty where nothing is grouped. What
/// `whole` has beyond the groups stands in a series without a value (not by product, where an event is in many).
result<metric_answer> answer_sums(const answer_frame& frame, const std::vector<sums_row>& whole,
                                  const std::vector<sums_row>& grouped);

/// Rows by bucket, and one without a bucket: the total.
result<metric_answer> answer_distinct(const answer_frame& frame, const std::vector<distinct_row>& rows);

} // namespace pulse::query
