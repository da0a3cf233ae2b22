// /v1/endpoints: where a tenant's alerts go.
#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "http/handlers/alert_request.hpp"
#include "models/alert/endpoint_url.hpp"
#include "models/alert/webhook.hpp"

namespace pulse::http {

namespace {

json or_null(const std::string& s) {
  return s.empty() ? json(nullptr) : json(s);
}

json to_json(const endpoint_record& e) {
  return {{"id", e.id.str()},
          {"kind", e.kind},
          {"url", e.url},
          {"types", e.types},
          {"description", e.description},
          {"disabled", e.disabled},
          {"disabled_reason", or_null(e.disabled_reason)},
          {"created_at", e.created_at}};
}

json to_json(const attempt_record& a) {
  return {{"at", a.at},
          {"delivery_id", a.delivery_id.str()},
          {"alert_id", a.alert_id.str()},
          {"attempt", a.attempt},
          {"replay", a.replay},
          {"status", a.status ? json(*a.status) : json(nullptr)},
          {"outcome", a.outcome},
          {"seconds", a.seconds},
          {"error", or_null(a.error)},
          {"response", or_null(a.reply_head)},
          {"next_at", or_null(a.next_at)}};
}

/// Where a literal address leads is known now; names are checked at every connect.
void check_url(const std::string& url, const std::vector<cidr>& allow, const std::string& tenant_allow) {
  need(alert::check_endpoint_url(url));
  auto rest = std::string_view(url).substr(url.find("://") + 3);
  rest = rest.substr(0, rest.find_first_of("/?#"));
  const auto host = rest.starts_with('[') ? rest.substr(1, rest.find(']') - 1) : rest.substr(0, rest.rfind(':'));
  const auto address = ip_address::parse(host);
  if (!address || is_public(*address) || contains(allow, *address))
    return;
  const auto own = parse_cidrs(tenant_allow);
  if (own && contains(*own, *address))
    return;
  throw refused_request({ec::invalid,
                         fmt::format("{} is no address of the public internet; an operator may allow it "
                                     "(webhook_allow)",
                                     address->str()),
                         "/url"});
}

response create(alert_admin& store, const request& in, const alert_parts& p) {
  const auto body = body_object(in);
  endpoint_record e;
  e.kind = text_member(body, "kind", "webhook");
  if (e.kind != "webhook")
    throw refused_request({ec::invalid, fmt::format("kind: '{}' is not there yet; webhook is", e.kind), "/kind"});
  e.url = text_member(body, "url");
  check_url(e.url, p.allow, need(store.networks(in.who.tenant)));
  e.types = types_member(body).value_or(std::vector<std::string>{});
  e.description = short_text(body, "description");
  if (is_dry_run(in))
    return response::json(200, json{{"dry_run", true}}.dump());
  const auto secret = alert::webhook_secret::make(p.random).str();
  const auto id = need(store.create_endpoint(in.who.tenant, e, secret, actor_of(in)));
  return response::json(201, json{{"id", id.str()}, {"secret", secret}}.dump());
}

response update(alert_admin& store, const request& in, const alert_parts& p) {
  const auto body = body_object(in);
  endpoint_change c;
  if (body.contains("url")) {
    c.url = text_member(body, "url");
    check_url(*c.url, p.allow, need(store.networks(in.who.tenant)));
  }
  c.types = types_member(body);
  if (body.contains("description"))
    c.description = short_text(body, "description");
  if (const auto it = body.find("disabled"); it != body.end()) {
    if (!it->is_boolean())
      throw refused_request({ec::invalid, "disabled: true or false", "/disabled"});
    c.disabled = it->get<bool>();
  }
  auto found = is_dry_run(in) ? store.endpoint(in.who.tenant, id_of(in))
                              : store.update_endpoint(in.who.tenant, id_of(in), c, actor_of(in));
  return response::json(200, to_json(need(std::move(found))).dump());
}

response recover(alert_admin& store, const request& in, const alert_parts& p) {
  const auto body = body_object(in);
  alert_filter f;
  f.from = time_value(text_member(body, body.contains("since") ? "since" : "from"), "/since");
  f.to = time_value(text_member(body, "to"), "/to");
  const bool dry = is_dry_run(in);
  const auto n = need(store.recover(in.who.tenant, id_of(in), f, dry, actor_of(in)));
  if (!dry)
    p.wake(in.who.tenant);
  return response::json(200, json{{"count", n}, {"dry_run", dry}}.dump());
}

std::vector<route> actions(const alert_parts& p) {
  std::vector<route> out;
  out.push_back(make_alert_route(p, "POST", "/v1/endpoints/{id}/test", scope::admin, [p](auto& store, const auto& in) {
    const auto id = need(store.test_endpoint(in.who.tenant, id_of(in), actor_of(in)));
    p.wake(in.who.tenant);
    return response::json(202, json{{"alert_id", id.str()}}.dump());
  }));
  out.push_back(
      make_alert_route(p, "POST", "/v1/endpoints/{id}/secret/rotate", scope::admin, [p](auto& store, const auto& in) {
        const auto secret = alert::webhook_secret::make(p.random).str();
        need(store.rotate_secret(in.who.tenant, id_of(in), secret, actor_of(in)));
        return response::json(200, json{{"secret", secret}}.dump());
      }));
  out.push_back(make_alert_route(p, "GET", "/v1/endpoints/{id}/attempts", scope::read, [](auto& store, const auto& in) {
    const auto found = need(store.attempts(in.who.tenant, id_of(in), filter_of_query(in), page_of_query(in)));
    auto data = json::array();
    for (const auto& a : found.rows)
      data.push_back(to_json(a));
    return list_answer(std::move(data), found.next);
  }));
  out.push_back(make_alert_route(p, "POST", "/v1/endpoints/{id}/recover", scope::admin,
                                 [p](auto& store, const auto& in) { return recover(store, in, p); }));
  return out;
}

} // namespace

std::vector<route> endpoint_routes(const alert_parts& p) {
  auto out = actions(p);
  out.push_back(make_alert_route(p, "GET", "/v1/endpoints", scope::read, [](auto& store, const auto& in) {
    auto data = json::array();
    for (const auto& e : need(store.endpoints(in.who.tenant)))
      data.push_back(to_json(e));
    return list_answer(std::move(data), "");
  }));
  out.push_back(make_alert_route(p, "POST", "/v1/endpoints", scope::admin,
                                 [p](auto& store, const auto& in) { return create(store, in, p); }));
  out.push_back(make_alert_route(p, "GET", "/v1/endpoints/{id}", scope::read, [](auto& store, const auto& in) {
    return response::json(200, to_json(need(store.endpoint(in.who.tenant, id_of(in)))).dump());
  }));
  out.push_back(make_alert_route(p, "PATCH", "/v1/endpoints/{id}", scope::admin,
                                 [p](auto& store, const auto& in) { return update(store, in, p); }));
  out.push_back(make_alert_route(p, "DELETE", "/v1/endpoints/{id}", scope::admin, [](auto& store, const auto& in) {
    need(store.delete_endpoint(in.who.tenant, id_of(in), actor_of(in)));
    return response::empty(204);
  }));
  return out;
}

std::vector<route> alert_admin_routes(const alert_parts& p) {
  std::vector<route> out;
  out.push_back(make_alert_route(
      p, "PUT", "/admin/v1/tenants/{tenant}/webhook-allow", scope::admin, [](auto& store, const auto& in) {
        const auto number = in.param("tenant");
        tenant_id tenant;
        if (number.empty() || number.size() > 9 ||
            !std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; }))
          throw refused_request({ec::not_found, "tenants are named by their number here", ""});
        tenant.value = std::stoi(std::string(number));
        const auto body = body_object(in);
        const auto it = body.find("cidrs");
        if (it == body.end() || !it->is_array() || it->size() > 20)
          throw refused_request({ec::invalid, "cidrs: an array of up to 20 networks, such as 127.0.0.1/32", "/cidrs"});
        std::vector<std::string> all;
        for (const auto& c : *it) {
          const auto text = c.is_string() ? c.template get<std::string>() : std::string();
          if (!cidr::parse(text))
            throw refused_request(
                {ec::invalid, fmt::format("'{}' is no network such as 127.0.0.1/32", text), "/cidrs"});
          all.push_back(text);
        }
        need(store.set_networks(tenant, fmt::format("{}", fmt::join(all, ",")), actor_of(in)));
        return response::json(200, json{{"cidrs", all}}.dump());
      }));
  return out;
}

} // namespace pulse::http
