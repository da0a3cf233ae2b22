// /v1/alerts/{id}/feedback and /v1/alerts/feedback: whether an alert was worth it, and what such words did.
#include <algorithm>

#include "http/handlers/alert_request.hpp"
#include "http/handlers/interval_json.hpp"

namespace pulse::http {

namespace {

constexpr std::int64_t report_days = 90;

/// Nothing takes the last word back.
std::optional<alert_verdict> read_verdict(const request& in) {
  const auto body = body_object(in);
  const auto it = body.find("verdict");
  const bool known = it != body.end() && (it->is_null() || *it == "useful" || *it == "false_alarm");
  if (!known)
    throw refused_request({ec::invalid, "verdict: useful or false_alarm; null takes it back", "/verdict"});
  const auto note = short_text(body, "note");
  if (it->is_null())
    return std::nullopt;
  return alert_verdict{*it == "useful", note};
}

response judge(alert_admin& store, const request& in) {
  const auto id = id_of(in);
  need(store.judge(in.who.tenant, id, read_verdict(in), actor_of(in)));
  return response::json(200, alert_json(need(store.alert(in.who.tenant, id))).dump());
}

json counts_json(const series::verdict_counts& c) {
  return {{"useful", c.useful}, {"false_alarm", c.false_alarm}};
}

json share_json(std::int64_t hits, std::int64_t all) {
  return all == 0 ? json(nullptr) : json(static_cast<double>(hits) / static_cast<double>(all));
}

json hits_json(const series::hit_counts& c) {
  return {{"count", c.hits},
          {"of", c.all},
          {"share", share_json(c.hits, c.all)},
          {"interval", interval_json(c.hits, c.all)}};
}

response quality(alert_admin& store, const request& in, const clock& time) {
  const auto asked = filter_of_query(in);
  const auto to = asked.to.value_or(time.now());
  const auto from = asked.from.value_or(time_ms{std::max<std::int64_t>(0, to.value - report_days * day_ms)});
  if (from >= to)
    throw refused_request({ec::invalid, "from: before to", "from"});
  auto found = need(store.judged(in.who.tenant, from, to));
  const auto q = series::replay_feedback(std::move(found.words), from, to);
  const json out = {{"from", format_time(from)},
                    {"to", format_time(to)},
                    {"judged", counts_json(q.judged)},
                    {"precision", share_json(q.told.useful, q.told.total())},
                    {"precision_interval", interval_json(q.told.useful, q.told.total())},
                    {"withheld", found.withheld},
                    {"withheld_judged", counts_json(q.withheld)},
                    {"repeats_cut", hits_json(q.repeats_cut)},
                    {"recall_loss", hits_json(q.recall_lost)}};
  return response::json(200, out.dump());
}

} // namespace

std::vector<route> feedback_routes(const alert_parts& p) {
  std::vector<route> out;
  out.push_back(make_alert_route(p, "POST", "/v1/alerts/{id}/feedback", scope::admin,
                                 [](auto& store, const auto& in) { return judge(store, in); }));
  out.push_back(make_alert_route(p, "GET", "/v1/alerts/feedback", scope::read,
                                 [&time = p.time](auto& store, const auto& in) { return quality(store, in, time); }));
  return out;
}

} // namespace pulse::http
