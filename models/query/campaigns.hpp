// Campaigns as tenants ask for them: the question, and from counted rows to each campaign's effect. Pure.
#pragma once

#include "models/campaign/report.hpp"
#include "models/query/answer.hpp"

namespace pulse::query {

/// What an event is called that tells what was spent on the campaign it names.
inline constexpr std::string_view campaign_spend = "Campaign Spend";

/// So many campaigns are measured, those with most events.
inline constexpr std::size_t campaigns_max = 50;

struct campaigns_question {
  /// Days on the zone's clock; the zone as in the metrics' questions.
  metric_question span;
  double level = 0.9;
};

/// Without `from`: 180 days.
read<campaigns_question> read_campaigns_question(const parameters& given, time_ms now);

/// By day: `events` by campaign, `revenue` by store, by country.
metric_question by_day(const campaigns_question& q, metric m, dimension d);

/// Orders that name a campaign, and what was spent on it.
struct campaign_row {
  std::string campaign;
  std::optional<std::string> store;
  std::optional<std::string> country;
  std::int64_t orders = 0;
  /// Minor units of the tenant's currency.
  std::int64_t spend_minor = 0;
};

struct campaigns_answer {
  campaigns_question question;
  /// Of the days that were asked for.
  std::vector<time_ms> days;
  std::string unit;
  std::string timezone;
  std::vector<campaign::report> reports;
  campaign::advice advice;
};

/// A day that is not over at the range's end counts as it is.
campaigns_answer answer_campaigns(const campaigns_question& q, const metric_answer& events,
                                  const metric_answer& by_store, const metric_answer& by_country,
                                  const std::vector<campaign_row>& rows);

} // namespace pulse::query
