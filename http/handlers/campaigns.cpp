#include "http/handlers/campaigns.hpp"

#include <algorithm>
#include <cmath>

#include "base/json_text.hpp"
#include "http/handlers/problems.hpp"

namespace pulse::http {

namespace {

/// Two decimals as money has them in most currencies: these are estimates.
std::string money_text(double x, const std::string& unit) {
  const auto code = parse_currency(unit).value_or(currency{});
  return money{std::llround(std::clamp(x * std::pow(10, minor_digits(code)), -9e18, 9e18)), code}.amount();
}

std::string report_json(const campaign::report& r, const query::campaigns_answer& a) {
  json_object o;
  o.text("campaign", r.name);
  if (r.end > 0) {
    o.time("from", a.days[r.begin]);
    o.time("to", r.end < a.days.size() ? a.days[r.end] : a.question.span.to);
  } else {
    o.raw("from", "null").raw("to", "null");
  }
  o.text_or_null("dimension", r.dimension);
  std::string segments = "[";
  for (const auto& s : r.segments) {
    if (segments.size() > 1)
      segments.push_back(',');
    append_json(segments, s);
  }
  o.raw("segments", segments + "]").text("spend", money_text(r.spend, a.unit));
  const auto figure = [&](std::string_view name, double campaign::effect::*field) {
    r.result.value ? o.text(name, money_text(*r.result.value.*field, a.unit)) : o.raw(name, "null");
  };
  figure("gained", &campaign::effect::gained);
  figure("lower", &campaign::effect::lower);
  figure("upper", &campaign::effect::upper);
  return std::move(o.text_or_null("reason", r.result.reason)).done();
}

json_object head(const query::campaigns_answer& a) {
  json_object o;
  o.text("currency", a.unit).text("timezone", a.timezone).time("from", a.question.span.from);
  o.time("to", a.question.span.to).number("level", a.question.level);
  return o;
}

std::string list_json(const query::campaigns_answer& a) {
  std::string data = "[";
  for (const auto& r : a.reports)
    data += (data.size() > 1 ? "," : "") + report_json(r, a);
  auto o = head(a);
  return std::move(o.raw("data", data + "]").raw("has_more", "false").raw("next_cursor", "null")).done();
}

std::string proposal_json(const query::campaigns_answer& a) {
  auto o = head(a);
  if (const auto& s = a.advice.shift) {
    json_object shift;
    shift.text("from", s->from).text("to", s->to).text("amount", money_text(s->amount, a.unit));
    shift.text("gain", money_text(s->gain, a.unit)).text("gain_lower", money_text(s->gain_lower, a.unit));
    o.raw("shift", std::move(shift).done());
  } else {
    o.raw("shift", "null");
  }
  return std::move(o.text_or_null("reason", a.advice.reason)).done();
}

response ask(query_store& store, tenant_id tenant, const query::campaigns_question& q,
             std::string (*write)(const query::campaigns_answer&)) {
  using query::dimension;
  using query::metric;
  const auto events = store.metric(tenant, by_day(q, metric::events, dimension::campaign));
  if (!events)
    return response::problem(events.err());
  const auto stores = store.metric(tenant, by_day(q, metric::revenue, dimension::store));
  if (!stores)
    return response::problem(stores.err());
  const auto countries = store.metric(tenant, by_day(q, metric::revenue, dimension::country));
  if (!countries)
    return response::problem(countries.err());
  const auto rows = store.campaigns(tenant, q.span.from, q.span.to);
  if (!rows)
    return response::problem(rows.err());
  return response::json(200, write(query::answer_campaigns(q, *events, *stores, *countries, *rows)));
}

} // namespace

std::vector<route> campaign_routes(const std::shared_ptr<store_pool<query_store>>& stores, const clock& time) {
  std::vector<route> out;
  using writer = std::string (*)(const query::campaigns_answer&);
  const std::pair<const char*, writer> both[] = {{"/v1/campaigns", list_json},
                                                 {"/v1/campaigns/proposal", proposal_json}};
  for (const auto& [pattern, write] : both) {
    route r;
    r.method = "GET";
    r.pattern = pattern;
    r.needed = scope::read;
    r.handle = [stores, &time, write = write](request in, responder answer) {
      auto question = query::read_campaigns_question(in.query, time.now());
      if (const auto* found = std::get_if<query::problems>(&question))
        return answer(refused_question(*found));
      stores->run(std::move(answer),
                  [tenant = in.who.tenant, write, q = std::get<query::campaigns_question>(std::move(question))](
                      query_store& s) { return ask(s, tenant, q, write); });
    };
    out.push_back(std::move(r));
  }
  return out;
}

} // namespace pulse::http
