#include "http/handlers/version_answers.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace pulse::http {

using json = nlohmann::ordered_json;

nlohmann::ordered_json version_json(const listed_model& v) {
  return {{"version", v.version},
          {"id", v.id},
          {"created_at", v.created_at},
          {"live_from", v.live_from.empty() ? json(nullptr) : json(v.live_from)},
          {"state", v.live                ? "live"
                    : v.pending           ? "pending"
                    : v.live_from.empty() ? "draft"
                                          : "retired"},
          {"card", json::parse(v.card, nullptr, false)}};
}

bool wants_dry_run(const request& in) {
  const auto asked = in.query_value("dry_run");
  return asked == "true" || asked == "1";
}

const listed_model* find_version(const std::vector<listed_model>& versions, std::string_view name) {
  for (const auto& v : versions)
    if (std::to_string(v.version) == name || v.id == name)
      return &v;
  return nullptr;
}

std::optional<std::string> named_version(const std::string& body) {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos)
    return "";
  const auto j = json::parse(body, nullptr, false);
  if (!j.is_object() || (!j.empty() && !j.contains("version")))
    return std::nullopt;
  if (j.empty() || j["version"].is_null())
    return "";
  return j["version"].is_string() ? j["version"].get<std::string>() : j["version"].dump();
}

response use_again(control_store& store, const request& in, const std::string& kind, const listed_model& v,
                   const version_ports& ports) {
  if (!wants_dry_run(in)) {
    auto bytes = store.version_bytes(in.who.tenant, kind, v.id);
    if (!bytes)
      return response::problem(bytes.err());
    auto control = store.publish(in.who.tenant, kind, v.id, *bytes, v.card, "key " + in.who.key_name);
    if (!control)
      return response::problem(control.err());
    ports.put_in_force(in.who.tenant, *control);
  }
  return response::json(200, json{{"id", v.id}, {"from_version", v.version}}.dump());
}

response roll_back(control_store& store, const request& in, const std::string& kind, const version_ports& ports) {
  const auto name = named_version(in.body);
  if (!name)
    return response::problem(422, "invalid", R"(the body is empty or {"version": …})");
  auto versions = store.versions(in.who.tenant, kind);
  if (!versions)
    return response::problem(versions.err());
  if (!name->empty()) {
    const auto* v = find_version(*versions, *name);
    return v != nullptr ? use_again(store, in, kind, *v, ports)
                        : response::problem(404, "not_found", fmt::format("there is no {} {}", kind, *name));
  }
  const auto live = std::find_if(versions->begin(), versions->end(), [](const auto& v) { return v.live; });
  const auto before = std::find_if(live == versions->end() ? live : live + 1, versions->end(),
                                   [&](const auto& v) { return v.id != live->id && !v.live_from.empty(); });
  if (before == versions->end())
    return response::problem(error{ec::conflict, fmt::format("there is no earlier {} to go back to", kind), ""});
  return use_again(store, in, kind, *before, ports);
}

route version_route(std::string method, std::string pattern, scope needed,
                    std::function<void(request, responder)> handle) {
  route r;
  r.method = std::move(method);
  r.pattern = std::move(pattern);
  r.needed = needed;
  r.handle = std::move(handle);
  return r;
}

std::function<void(request, responder)> asking(control_stores stores,
                                               std::function<response(control_store&, const request&)> ask) {
  return [stores = std::move(stores), ask = std::move(ask)](request in, responder answer) {
    stores->run(std::move(answer), [ask, in = std::move(in)](control_store& s) { return ask(s, in); });
  };
}

} // namespace pulse::http
