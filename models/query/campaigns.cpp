// See campaigns.hpp.
#include "models/query/campaigns.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/money.hpp"

namespace pulse::query {

namespace {

constexpr std::int64_t default_past = 180 * day_ms;

std::vector<double> numbers_of(const series& s) {
  std::vector<double> out;
  for (const auto& v : s.points)
    out.push_back(number_of(v));
  return out;
}

/// What no value was given for is a segment too: it was not spoken to by name.
campaign::split split_of(std::string_view dimension, const metric_answer& a) {
  campaign::split out{std::string(dimension), {}};
  for (const auto& s : a.series)
    out.segments.emplace_back(s.group.value_or(""), numbers_of(s));
  return out;
}

campaign::reach reach_of(std::string_view dimension, const std::vector<campaign_row>& rows, const std::string& name,
                         std::optional<std::string> campaign_row::*segment) {
  std::map<std::string, double> sums;
  for (const auto& r : rows)
    if (r.campaign == name && r.orders > 0)
      sums[(r.*segment).value_or("")] += static_cast<double>(r.orders);
  return {std::string(dimension), {sums.begin(), sums.end()}};
}

double spend_of(const std::vector<campaign_row>& rows, const std::string& name, currency unit) {
  std::int64_t minor = 0;
  for (const auto& r : rows)
    if (r.campaign == name)
      minor += r.spend_minor;
  return number_of(money{minor, unit}.amount());
}

} // namespace

read<campaigns_question> read_campaigns_question(const parameters& given, time_ms now) {
  campaigns_question q;
  problems found;
  auto rest = given;
  for (auto i = rest.begin(); i != rest.end();) {
    if (i->first != "level") {
      if (i->first == "granularity" || i->first == "group_by")
        found.push_back({"/" + i->first, "unknown", i->first + ": no parameter here"});
      ++i;
      continue;
    }
    const auto read = parse_decimal(i->second);
    q.level = read ? static_cast<double>(read->micro) / 1e6 : 0;
    if (!(q.level >= 0.5 && q.level <= 0.99))
      found.push_back({"/level", "invalid", "level: a number from 0.5 to 0.99"});
    i = rest.erase(i);
  }
  const auto has = [&](std::string_view name) {
    return std::any_of(rest.begin(), rest.end(), [&](const auto& p) { return p.first == name; });
  };
  const bool own_from = has("from"), own_to = has("to");
  rest.emplace_back("granularity", "day");
  auto span = read_metric_question(info_of(metric::revenue), rest, now);
  if (const auto* wrong = std::get_if<problems>(&span))
    found.insert(found.end(), wrong->begin(), wrong->end());
  if (!found.empty())
    return found;
  q.span = std::get<metric_question>(std::move(span));
  if (!own_to)
    q.span.to = now;
  if (!own_from)
    q.span.from = {std::max<std::int64_t>(0, q.span.to.value - default_past)};
  return q;
}

metric_question by_day(const campaigns_question& q, metric m, dimension d) {
  auto out = q.span;
  out.metric = m;
  out.group_by = d;
  return out;
}

campaigns_answer answer_campaigns(const campaigns_question& q, const metric_answer& events,
                                  const metric_answer& by_store, const metric_answer& by_country,
                                  const std::vector<campaign_row>& rows) {
  campaigns_answer out{q, by_store.buckets, by_store.unit, by_store.question.timezone, {}, {}};
  const auto unit = parse_currency(out.unit).value_or(currency{});
  const std::vector<campaign::split> splits{split_of("store", by_store), split_of("country", by_country)};
  std::vector<campaign::activity> all;
  for (const auto& s : events.series)
    if (s.group)
      all.push_back({*s.group, numbers_of(s), spend_of(rows, *s.group, unit)});
  const auto size = [](const campaign::activity& a) {
    return std::accumulate(a.events.begin(), a.events.end(), 0.0);
  };
  std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) { return size(a) > size(b); });
  all.resize(std::min(all.size(), campaigns_max));
  std::vector<campaign::effect> effects;
  for (const auto& a : all) {
    out.reports.push_back(campaign::measure_campaign(a,
                                                     {reach_of("store", rows, a.name, &campaign_row::store),
                                                      reach_of("country", rows, a.name, &campaign_row::country)},
                                                     splits, q.level));
    if (out.reports.back().result.value)
      effects.push_back(*out.reports.back().result.value);
  }
  out.advice = campaign::propose(effects);
  return out;
}

} // namespace pulse::query
