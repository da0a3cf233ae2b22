// Forecasts of a metric as tenants ask for them: the question read from a URL, the past split from what is still to
// come, and the answer. Pure; the past's figures come from the query store.
#pragma once

#include "models/query/answer.hpp"
#include "models/series/forecast.hpp"

namespace pulse::query {

struct forecast_question {
  /// The past and, behind `as_of`, the empty buckets that are forecast: their times follow the zone's clock.
  metric_question span;
  time_ms as_of;
  std::size_t horizon = 14;
  double level = 0.9;
  /// What the period that `as_of` lies in is to bring: in the metric's unit.
  std::optional<double> goal;
  granularity period = granularity::month;
};

/// Of additive metrics by hour, day (the default) or week. `to` is the time that is forecast from, now by default;
/// without `from` 8 weeks of hours, 400 days or 3 years of weeks.
read<forecast_question> read_forecast_question(const metric_info& metric, const parameters& given, time_ms now);

/// The same metric by whole periods, this one and the next: where the period of a goal begins and ends.
metric_question period_question(const forecast_question& q);

struct forecast_value {
  query::value expected;
  query::value lower;
  query::value upper;
};

struct forecast_answer {
  forecast_question question;
  std::string unit;
  std::string timezone;
  std::string method;
  std::vector<time_ms> times;
  std::vector<forecast_value> points;
  forecast_value total;

  struct goal_course {
    time_ms from;
    time_ms to;
    query::value goal;
    query::value so_far;
    forecast_value sum;
    double against_goal = 0;
    bool sure = false;
    std::string text;
  };

  std::optional<goal_course> course;
};

/// The first bucket that is forecast is the one `as_of` lies in: it is not whole yet. `periods`: the answer to
/// period_question, where there is a goal. Errors: `invalid` where the past is too short.
result<forecast_answer> answer_forecast(const forecast_question& q, const metric_answer& span,
                                        const std::optional<metric_answer>& periods);

} // namespace pulse::query
