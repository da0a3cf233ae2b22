#include "http/handlers/sources.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "http/handlers/alert_request.hpp"

namespace pulse::http {

namespace {

/// Certificates and a mapping have room.
constexpr std::size_t body_bytes_max = 256U << 10;

json or_null(const std::string& s) {
  return s.empty() ? json(nullptr) : json(s);
}

json to_json(const source_record& s) {
  json out = {{"id", s.id.str()}, {"kind", "kafka"}};
  out.update(source::to_json(s.config));
  out["paused"] = s.paused;
  out["created_at"] = s.created_at;
  out["status"] = {{"state", s.paused ? "paused" : s.status.state},
                   {"code", or_null(s.status.code)},
                   {"detail", or_null(s.status.detail)},
                   {"at", s.status_at}};
  out["accepted"] = s.accepted;
  out["refused"] = s.refused;
  out["last_record_at"] = or_null(s.last_record_at);
  auto positions = json::array();
  std::int64_t lag = 0;
  for (const auto& p : s.positions) {
    const auto behind = std::max<std::int64_t>(0, p.end - p.next);
    positions.push_back({{"partition", p.partition}, {"next_offset", p.next}, {"end_offset", p.end}, {"lag", behind}});
    lag += behind;
  }
  out["lag"] = lag;
  out["positions"] = std::move(positions);
  return out;
}

bool paused_in(const nlohmann::json& body, bool otherwise) {
  const auto it = body.find("paused");
  if (it == body.end())
    return otherwise;
  if (!it->is_boolean())
    throw refused_request({ec::invalid, "paused: true or false", "/paused"});
  return it->get<bool>();
}

/// A broker that is named by an address is judged now; names are at every connect.
void check(source_store& store, const source::kafka_config& c, const request& in, const source_parts& p) {
  need(source::validate(c));
  auto allow = p.allow;
  if (const auto own = parse_cidrs(need(store.networks(in.who.tenant))))
    allow.insert(allow.end(), own->begin(), own->end());
  if (const auto closed = source::closed_broker(c, allow))
    throw refused_request({ec::invalid,
                           fmt::format("{} is no address of the public internet; an operator may allow it "
                                       "(webhook_allow)",
                                       *closed),
                           "/brokers"});
}

response create(source_store& store, const request& in, const source_parts& p) {
  const auto body = body_object(in);
  if (text_member(body, "kind", "kafka") != "kafka")
    throw refused_request({ec::invalid, "kind: kafka is the one there is", "/kind"});
  source_change what;
  need(source::apply(body, what.config, false));
  what.paused = paused_in(body, false);
  check(store, what.config, in, p);
  if (is_dry_run(in))
    return response::json(200, json{{"dry_run", true}}.dump());
  const auto id = need(store.create(in.who.tenant, what, actor_of(in)));
  return response::json(201, to_json(need(store.get(in.who.tenant, id))).dump());
}

response update(source_store& store, const request& in, const source_parts& p) {
  const auto body = body_object(in);
  const auto id = id_of(in);
  auto what = need(store.read(in.who.tenant, id));
  const auto before = what.config;
  need(source::apply(body, what.config, true));
  what.paused = paused_in(body, what.paused);
  check(store, what.config, in, p);
  // What is secret must not be sent to brokers that whoever made the source did not name.
  const bool has_secret = !before.password.empty() || !before.key.empty();
  const bool same_secrets = what.config.password == before.password && what.config.key == before.key;
  if (has_secret && same_secrets &&
      (what.config.brokers != before.brokers || what.config.ca != before.ca || what.config.protocol != before.protocol))
    throw refused_request({ec::invalid,
                           "brokers, protocol and ca of a source with a password or key change together with these: "
                           "send security.password (security.key) again",
                           "/security"});
  if (!is_dry_run(in))
    need(store.change(in.who.tenant, id, what, actor_of(in)));
  return response::json(200, to_json(need(store.get(in.who.tenant, id))).dump());
}

route make_route(const source_parts& p, std::string method, std::string pattern, scope needed,
                 std::function<response(source_store&, const request&)> ask) {
  route r;
  r.method = std::move(method);
  r.pattern = std::move(pattern);
  r.needed = needed;
  r.body_bytes_max = body_bytes_max;
  r.handle = [stores = p.stores, ask = std::move(ask)](request in, responder answer) {
    stores->run(std::move(answer), [ask, in = std::move(in)](source_store& store) {
      try {
        return ask(store, in);
      } catch (const refused_request& e) {
        return response::problem(e.why);
      }
    });
  };
  return r;
}

} // namespace

std::vector<route> source_routes(const source_parts& p) {
  std::vector<route> out;
  out.push_back(make_route(p, "GET", "/v1/sources", scope::read, [](auto& store, const auto& in) {
    auto data = json::array();
    for (const auto& s : need(store.list(in.who.tenant)))
      data.push_back(to_json(s));
    return list_answer(std::move(data), "");
  }));
  out.push_back(make_route(p, "POST", "/v1/sources", scope::admin,
                           [p](auto& store, const auto& in) { return create(store, in, p); }));
  out.push_back(make_route(p, "GET", "/v1/sources/{id}", scope::read, [](auto& store, const auto& in) {
    return response::json(200, to_json(need(store.get(in.who.tenant, id_of(in)))).dump());
  }));
  out.push_back(make_route(p, "PATCH", "/v1/sources/{id}", scope::admin,
                           [p](auto& store, const auto& in) { return update(store, in, p); }));
  out.push_back(make_route(p, "DELETE", "/v1/sources/{id}", scope::admin, [](auto& store, const auto& in) {
    need(store.remove(in.who.tenant, id_of(in), actor_of(in)));
    return response::empty(204);
  }));
  return out;
}

} // namespace pulse::http
