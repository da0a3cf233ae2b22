#include "http/handlers/alert_request.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

#include "base/encoding.hpp"

namespace pulse::http {

namespace {

constexpr std::array<std::string_view, 5> types_known = {"event.flagged", "metric.anomaly", "incident.opened",
                                                         "incident.resolved", "endpoint.test"};
constexpr std::size_t short_bytes_max = 1000;
constexpr std::int64_t page_default = 100;
constexpr std::int64_t page_max = 1000;

std::optional<std::string> query_text(const request& in, std::string_view name) {
  const auto found = in.query_value(name);
  return found && !found->empty() ? std::optional(std::string(*found)) : std::nullopt;
}

} // namespace

route make_alert_route(const alert_parts& p, std::string method, std::string pattern, scope needed,
                       std::function<response(alert_admin&, const request&)> ask) {
  route r;
  r.method = std::move(method);
  r.pattern = std::move(pattern);
  r.needed = needed;
  r.body_bytes_max = 64U << 10;
  r.handle = [stores = p.stores, ask = std::move(ask)](request in, responder answer) {
    stores->run(std::move(answer), [ask, in = std::move(in)](alert_admin& store) {
      try {
        return ask(store, in);
      } catch (const refused_request& e) {
        return response::problem(e.why);
      }
    });
  };
  return r;
}

nlohmann::json body_object(const request& in) {
  auto body = nlohmann::json::parse(in.body.empty() ? "{}" : in.body, nullptr, false);
  if (!body.is_object())
    throw refused_request({ec::malformed, "the body is no JSON object", ""});
  return body;
}

uuid id_of(const request& in) {
  const auto id = uuid::parse(in.param("id"));
  if (!id)
    throw refused_request({ec::not_found, fmt::format("there is no '{}'", in.param("id")), ""});
  return *id;
}

bool is_dry_run(const request& in) {
  const auto value = query_text(in, "dry_run");
  if (value && *value != "true" && *value != "false")
    throw refused_request({ec::invalid, "dry_run: true or false", ""});
  return value == "true";
}

std::string actor_of(const request& in) {
  return in.who.key_id == 0 ? "admin" : fmt::format("key {}", in.who.key_name);
}

std::string text_member(const nlohmann::json& body, const char* name, std::string fallback) {
  const auto it = body.find(name);
  if (it == body.end() || it->is_null())
    return fallback;
  if (!it->is_string())
    throw refused_request({ec::invalid, fmt::format("{}: a string", name), fmt::format("/{}", name)});
  return it->get<std::string>();
}

std::string short_text(const nlohmann::json& body, const char* name) {
  auto out = text_member(body, name);
  if (out.size() > short_bytes_max || out.find('\0') != std::string::npos)
    throw refused_request({ec::invalid, fmt::format("{}: at most 1000 bytes of text", name), fmt::format("/{}", name)});
  return out;
}

std::vector<std::string> known_types(const std::vector<std::string>& types, const std::string& pointer) {
  for (const auto& type : types)
    if (std::find(types_known.begin(), types_known.end(), type) == types_known.end())
      throw refused_request({ec::invalid,
                             fmt::format("'{}' is no type of alert; there are event.flagged, metric.anomaly, "
                                         "incident.opened, incident.resolved, endpoint.test",
                                         type),
                             pointer});
  return types;
}

std::optional<std::vector<std::string>> types_member(const nlohmann::json& body) {
  const auto it = body.find("types");
  if (it == body.end() || it->is_null())
    return std::nullopt;
  const bool texts = it->is_array() && std::all_of(it->begin(), it->end(), [](const auto& t) { return t.is_string(); });
  if (!texts || it->size() > types_known.size())
    throw refused_request({ec::invalid, "types: an array of types of alerts; empty: all", "/types"});
  return known_types(it->get<std::vector<std::string>>(), "/types");
}

std::optional<time_ms> time_value(std::optional<std::string> text, const std::string& pointer) {
  if (!text || text->empty())
    return std::nullopt;
  const auto at = parse_time(*text);
  if (!at)
    throw refused_request({ec::invalid, fmt::format("'{}' is no time in RFC 3339", *text), pointer});
  return at;
}

alert_filter filter_of_query(const request& in) {
  alert_filter f;
  f.from = time_value(query_text(in, "from"), "from");
  f.to = time_value(query_text(in, "to"), "to");
  if (const auto type = query_text(in, "type"))
    f.types = known_types({*type}, "type");
  f.severity = query_text(in, "severity").value_or("");
  if (!f.severity.empty() && f.severity != "info" && f.severity != "warning" && f.severity != "critical")
    throw refused_request({ec::invalid, "severity: info, warning or critical", "severity"});
  f.state = query_text(in, "state").value_or("");
  if (!f.state.empty() && f.state != "new" && f.state != "told" && f.state != "held")
    throw refused_request({ec::invalid, "state: new, told or held", "state"});
  return f;
}

page_request page_of_query(const request& in) {
  page_request p;
  p.limit = page_default;
  if (const auto limit = query_text(in, "limit")) {
    const auto [end, e] = std::from_chars(limit->data(), limit->data() + limit->size(), p.limit);
    if (e != std::errc{} || end != limit->data() + limit->size() || p.limit < 1 || p.limit > page_max)
      throw refused_request({ec::invalid, "limit: 1 to 1000", "limit"});
  }
  if (const auto cursor = query_text(in, "cursor")) {
    const auto key = from_base64(*cursor);
    if (!key || key->empty())
      throw refused_request({ec::invalid, "cursor: not one of ours", "cursor"});
    p.after = *key;
  }
  return p;
}

json alert_json(const alert_record& a) {
  auto data = json::parse(a.data, nullptr, false);
  if (!data.is_object())
    data = json::object();
  data["alert_id"] = a.id.str();
  if (!a.incident_id.empty())
    data["incident_id"] = a.incident_id;
  json out = {{"id", a.id.str()}, {"type", a.type}, {"timestamp", a.created_at}, {"data", std::move(data)}};
  out["state"] = a.state;
  out["held_reason"] = a.state != "held"       ? json(nullptr)
                       : a.held_reason.empty() ? json("limit: over what is told in an hour; a summary tells of it")
                                               : json(a.held_reason);
  out["feedback"] = a.feedback.empty() ? json(nullptr) : json::parse(a.feedback, nullptr, false);
  return out;
}

response list_answer(json data, const std::string& next) {
  return response::json(200, json{{"data", std::move(data)},
                                  {"has_more", !next.empty()},
                                  {"next_cursor", next.empty() ? json(nullptr) : json(to_base64url(next))}}
                                 .dump(-1, ' ', false, json::error_handler_t::replace));
}

} // namespace pulse::http
