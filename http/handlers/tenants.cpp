#include "http/handlers/tenants.hpp"

#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/money.hpp"
#include "http/middleware/api_key.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;
using stores_ptr = std::shared_ptr<store_pool<admin_store>>;

json to_json(const tenant_settings& t) {
  return {{"id", std::to_string(t.tenant.value)},
          {"name", t.name},
          {"currency", t.currency.empty() ? json(nullptr) : json(t.currency)},
          {"timezone", t.timezone},
          {"slot", t.slot.value},
          {"limits", {{"rate", t.rate}, {"burst", t.burst}}}};
}

json to_json(const listed_tenant& t) {
  auto out = to_json(t.settings);
  out["created_at"] = t.created_at;
  out["events"] = t.events;
  return out;
}

json to_json(const listed_key& k) {
  const auto or_null = [](const std::string& s) {
    return s.empty() ? json(nullptr) : json(s);
  };
  return {{"id", std::to_string(k.id)},
          {"prefix", k.public_id},
          {"scopes", k.scopes},
          {"test", k.test},
          {"created_at", k.created_at},
          {"expires_at", or_null(k.expires_at)},
          {"revoked_at", or_null(k.revoked_at)}};
}

/// The body as an object; an answer when it is none.
std::variant<nlohmann::json, response> read_object(const request& in) {
  auto body = nlohmann::json::parse(in.body.empty() ? "{}" : in.body, nullptr, false);
  if (!body.is_object())
    return response::problem(400, "malformed", "the body is no JSON object");
  return body;
}

std::string text(const nlohmann::json& body, const char* name, std::string fallback = "") {
  const auto it = body.find(name);
  return it != body.end() && it->is_string() ? it->get<std::string>() : fallback;
}

std::optional<std::int64_t> number(const nlohmann::json& body, const char* name) {
  const auto it = body.find(name);
  return it != body.end() && it->is_number_integer() ? std::optional(it->get<std::int64_t>()) : std::nullopt;
}

route make(std::string method, std::string pattern, std::function<void(request, responder)> handle) {
  route r;
  r.method = std::move(method);
  r.pattern = std::move(pattern);
  r.needed = scope::admin;
  r.handle = std::move(handle);
  return r;
}

response create_tenant(admin_store& store, const nlohmann::json& body, const tenant_defaults& defaults) {
  new_tenant t;
  t.name = text(body, "name");
  if (t.name.empty() || t.name.size() > 200)
    return response::problem(422, "invalid", "name: 1 to 200 characters");
  if (const auto c = text(body, "currency"); !c.empty()) {
    const auto parsed = parse_currency(c);
    if (!parsed)
      return response::problem(422, "invalid", "currency: three letters of ISO 4217, such as EUR");
    t.currency = parsed->str();
  }
  t.timezone = text(body, "timezone", "UTC");
  t.rate = number(body, "rate").value_or(defaults.rate);
  t.burst = number(body, "burst").value_or(defaults.burst);
  t.slots = defaults.slots;
  if (t.rate < 0 || t.burst < 0)
    return response::problem(422, "invalid", "rate, burst: 0 (none) or more");
  auto made = store.create_tenant(t, "admin");
  if (!made)
    return response::problem(made.err());
  return response::json(201, to_json(*made).dump());
}

response create_key(admin_store& store, const nlohmann::json& body, random_source& random, const clock& time) {
  auto tenant = store.find_tenant(text(body, "tenant"));
  if (!tenant)
    return response::problem(tenant.err());
  new_key k;
  k.tenant = tenant->settings.tenant;
  k.test = body.value("test", false);
  if (const auto it = body.find("scopes"); it != body.end() && it->is_array())
    for (const auto& s : *it) {
      const auto name = s.is_string() ? s.get<std::string>() : std::string{};
      if (!parse_scope(name))
        return response::problem(422, "invalid",
                                 fmt::format("scopes: '{}' is not one of ingest, read, admin, publishable", name));
      k.scopes.push_back(name);
    }
  if (k.scopes.empty())
    return response::problem(422, "invalid", "scopes: at least one of ingest, read, admin, publishable");
  if (const auto expires = text(body, "expires"); !expires.empty()) {
    k.expires = parse_time(expires);
    if (!k.expires || *k.expires <= time.now())
      return response::problem(422, "invalid", "expires: a time to come, RFC 3339");
  }
  const auto key = make_api_key(k.test, random);
  k.public_id = std::string(key.id());
  k.sha256 = key.hash();
  auto id = store.create_key(k, "admin");
  if (!id)
    return response::problem(id.err());
  return response::json(201, json{{"id", std::to_string(*id)}, {"key", key.text}}.dump());
}

/// Answers through the store of a worker; the body is read first.
auto with_body(stores_ptr stores, std::function<response(admin_store&, const request&, const nlohmann::json&)> ask) {
  return [stores, ask = std::move(ask)](request in, responder answer) {
    auto body = read_object(in);
    if (auto* problem = std::get_if<response>(&body)) {
      answer(std::move(*problem));
      return;
    }
    stores->run(std::move(answer), [ask, in = std::move(in), b = std::get<nlohmann::json>(std::move(body))](
                                       admin_store& s) { return ask(s, in, b); });
  };
}

/// The same for the tenant that the path names, by number or name.
auto with_tenant(
    stores_ptr stores,
    std::function<response(admin_store&, const request&, const nlohmann::json&, const listed_tenant&)> ask) {
  return with_body(std::move(stores),
                   [ask = std::move(ask)](admin_store& s, const request& in, const nlohmann::json& body) {
                     auto tenant = s.find_tenant(std::string(in.param("tenant")));
                     if (!tenant)
                       return response::problem(tenant.err());
                     return ask(s, in, body, *tenant);
                   });
}

std::vector<route> key_routes(const stores_ptr& stores, random_source& random, const clock& time,
                              std::function<void(const std::string&)> revoked) {
  std::vector<route> out;
  out.push_back(
      make("POST", "/admin/v1/keys", with_body(stores, [&random, &time](auto& s, const auto&, const auto& body) {
             return create_key(s, body, random, time);
           })));
  out.push_back(
      make("GET", "/admin/v1/tenants/{tenant}/keys",
           with_tenant(stores, [](auto& s, const auto&, const auto&, const auto& t) {
             auto keys = s.keys(t.settings.tenant);
             if (!keys)
               return response::problem(keys.err());
             auto data = json::array();
             for (const auto& k : *keys)
               data.push_back(to_json(k));
             return response::json(200, json{{"data", data}, {"has_more", false}, {"next_cursor", nullptr}}.dump());
           })));
  out.push_back(make("DELETE", "/admin/v1/tenants/{tenant}/keys/{id}",
                     with_tenant(stores, [revoked](auto& s, const auto& in, const auto&, const auto& t) {
                       std::int64_t id = 0;
                       const auto word = in.param("id");
                       if (std::from_chars(word.data(), word.data() + word.size(), id).ec != std::errc{})
                         return response::problem(404, "not_found", "keys are named by their number");
                       auto gone = s.revoke_key(t.settings.tenant, id, std::nullopt, "admin");
                       if (!gone)
                         return response::problem(gone.err());
                       revoked(*gone);
                       return response::empty(204);
                     })));
  return out;
}

} // namespace

std::vector<route> tenant_routes(stores_ptr stores, tenant_defaults defaults, random_source& random, const clock& time,
                                 std::function<void(const std::string&)> revoked) {
  auto out = key_routes(stores, random, time, std::move(revoked));
  out.push_back(make("POST", "/admin/v1/tenants", with_body(stores, [defaults](auto& s, const auto&, const auto& body) {
                       return create_tenant(s, body, defaults);
                     })));
  out.push_back(
      make("GET", "/admin/v1/tenants", with_body(stores, [](auto& s, const auto& in, const auto&) {
             std::int64_t after = 0;
             if (const auto cursor = in.query_value("cursor"))
               std::from_chars(cursor->data(), cursor->data() + cursor->size(), after);
             constexpr std::int64_t page = 1000;
             auto found = s.tenants(after, page + 1);
             if (!found)
               return response::problem(found.err());
             const bool more = static_cast<std::int64_t>(found->size()) > page;
             if (more)
               found->pop_back();
             auto data = json::array();
             for (const auto& t : *found)
               data.push_back(to_json(t));
             json next = more ? json(std::to_string(found->back().settings.tenant.value)) : json(nullptr);
             return response::json(200, json{{"data", data}, {"has_more", more}, {"next_cursor", next}}.dump());
           })));
  out.push_back(
      make("GET", "/admin/v1/tenants/{tenant}", with_tenant(stores, [](auto&, const auto&, const auto&, const auto& t) {
             return response::json(200, to_json(t).dump());
           })));
  out.push_back(make("DELETE", "/admin/v1/tenants/{tenant}",
                     with_tenant(stores, [](auto& s, const auto&, const auto&, const auto& t) {
                       auto done = s.delete_tenant(t.settings.tenant, "admin");
                       return done ? response::empty(204) : response::problem(done.err());
                     })));
  out.push_back(make("PUT", "/admin/v1/tenants/{tenant}/limits",
                     with_tenant(stores, [](auto& s, const auto&, const auto& body, const auto& t) {
                       const auto rate = number(body, "rate");
                       const auto burst = number(body, "burst");
                       if (rate.value_or(0) < 0 || burst.value_or(0) < 0)
                         return response::problem(422, "invalid", "rate, burst: 0 (none) or more");
                       auto set = s.set_limits(t.settings.tenant, rate, burst, "admin");
                       if (!set)
                         return response::problem(set.err());
                       return response::json(200, json{{"rate", set->rate}, {"burst", set->burst}}.dump());
                     })));
  return out;
}

} // namespace pulse::http
