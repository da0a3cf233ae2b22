// /v1/alerts: what was out of the ordinary, and telling it again.
#include "http/handlers/alert_request.hpp"
#include "models/alert/webhook.hpp"

namespace pulse::http {

namespace {

response replay(alert_admin& store, const request& in, const alert_parts& p) {
  const auto body = body_object(in);
  alert_filter f;
  f.from = time_value(text_member(body, "from"), "/from");
  f.to = time_value(text_member(body, "to"), "/to");
  if (!f.from || !f.to || *f.from >= *f.to)
    throw refused_request({ec::invalid, "from and to: two times in RFC 3339, from before to", "/from"});
  f.types = types_member(body).value_or(std::vector<std::string>{});
  std::optional<uuid> endpoint;
  if (const auto text = text_member(body, "endpoint"); !text.empty()) {
    const auto id = uuid::parse(text);
    if (!id)
      throw refused_request({ec::not_found, "there is no endpoint " + text, "/endpoint"});
    endpoint = *id;
  }
  const bool dry = is_dry_run(in);
  const auto n = need(store.replay(in.who.tenant, f, endpoint, dry, actor_of(in)));
  if (!dry)
    p.wake(in.who.tenant);
  return response::json(200, json{{"count", n}, {"dry_run", dry}}.dump());
}

} // namespace

std::vector<route> alert_routes(const alert_parts& p) {
  std::vector<route> out;
  out.push_back(make_alert_route(p, "GET", "/v1/alerts", scope::read, [](auto& store, const auto& in) {
    const auto found = need(store.alerts(in.who.tenant, filter_of_query(in), page_of_query(in)));
    auto data = json::array();
    for (const auto& a : found.rows)
      data.push_back(alert_json(a));
    return list_answer(std::move(data), found.next);
  }));
  out.push_back(make_alert_route(p, "GET", "/v1/alerts/{id}", scope::read, [](auto& store, const auto& in) {
    return response::json(200, alert_json(need(store.alert(in.who.tenant, id_of(in)))).dump());
  }));
  out.push_back(make_alert_route(p, "POST", "/v1/alerts/{id}/resend", scope::admin, [p](auto& store, const auto& in) {
    const bool dry = is_dry_run(in);
    const auto n = need(store.resend(in.who.tenant, id_of(in), dry, actor_of(in)));
    if (!dry)
      p.wake(in.who.tenant);
    return response::json(200, json{{"count", n}, {"dry_run", dry}}.dump());
  }));
  out.push_back(make_alert_route(p, "POST", "/v1/alerts/replay", scope::admin,
                                 [p](auto& store, const auto& in) { return replay(store, in, p); }));
  for (auto& r : feedback_routes(p))
    out.push_back(std::move(r));
  return out;
}

} // namespace pulse::http
