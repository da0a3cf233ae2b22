#include "http/handlers/version_answers.hpp"

#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "http/handlers/problems.hpp"
#include "models/enrichment/mapping.hpp"
#include "models/rules/lists.hpp"
#include "models/rules/rule_set.hpp"
#include "models/series/watch_settings.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;

/// A kind of version that tenants write themselves.
struct document_kind {
  std::string kind;
  std::string path;
  /// Every problem of a document.
  std::vector<note> (*check)(std::string_view);
  /// Id and canonical bytes.
  result<std::pair<std::string, std::string>> (*compile)(std::string_view);
};

template <class Compiled>
result<std::pair<std::string, std::string>> named_bytes(std::string_view document) {
  const auto done = Compiled::compile(document);
  if (!done)
    return done.err();
  return std::pair{(*done)->id(), (*done)->canonical()};
}

const std::vector<document_kind>& document_kinds() {
  static const std::vector<document_kind> out{
      {"mapping", "/v1/mappings", check_mapping, named_bytes<compiled_mapping>},
      {"rules", "/v1/rules", [](std::string_view d) { return as_notes(rules::check_rules(d)); },
       named_bytes<rules::rule_set>},
      {"lists", "/v1/lists", [](std::string_view d) { return as_notes(rules::check_lists(d)); },
       named_bytes<rules::compiled_lists>},
      {std::string(series::detectors_kind), "/v1/detectors",
       [](std::string_view d) { return as_notes(series::check_watch_settings(d)); },
       [](std::string_view d) -> result<std::pair<std::string, std::string>> {
         auto settings = series::watch_settings::compile(d);
         if (!settings)
           return settings.err();
         return std::pair{std::move(settings->id), std::move(settings->canonical)};
       }},
  };
  return out;
}

response stored(control_store& store, const request& in, const std::string& kind, int status) {
  auto versions = store.versions(in.who.tenant, kind);
  if (!versions || versions->empty())
    return response::problem(versions ? error{ec::internal, "the version that was stored is not there", ""}
                                      : versions.err());
  return response::json(status, version_json(versions->front()).dump());
}

/// Stores the body as the next version and puts it in force. `number`: the version that it has to become.
response publish_document(control_store& store, const request& in, const document_kind& k, const version_ports& ports,
                          std::string_view number) {
  if (const auto problems = k.check(in.body); !problems.empty())
    return refused_document(k.kind, problems);
  const auto document = k.compile(in.body);
  if (!document)
    return response::problem(document.err());
  const auto& [id, canonical] = *document;
  if (!number.empty()) {
    auto versions = store.versions(in.who.tenant, k.kind);
    if (!versions)
      return response::problem(versions.err());
    const auto* same = find_version(*versions, number);
    if (same != nullptr && same->id == id)
      return response::json(200, version_json(*same).dump());
    const auto next = versions->empty() ? 1 : versions->front().version + 1;
    if (same != nullptr || number != std::to_string(next))
      return response::problem(
          error{ec::conflict, fmt::format("this would become version {}, not {}", next, number), ""});
  }
  if (wants_dry_run(in))
    return response::json(200, json{{"ok", true}, {"id", id}}.dump());
  auto control = store.publish(in.who.tenant, k.kind, id, canonical, "{}", "key " + in.who.key_name);
  if (!control)
    return response::problem(control.err());
  ports.put_in_force(in.who.tenant, *control);
  return stored(store, in, k.kind, 201);
}

/// The version that the body names, else the latest; a body that is a document is stored and put in force.
response publish_named(control_store& store, const request& in, const document_kind& k, const version_ports& ports) {
  const auto name = named_version(in.body);
  if (!name)
    return publish_document(store, in, k, ports, "");
  auto versions = store.versions(in.who.tenant, k.kind);
  if (!versions)
    return response::problem(versions.err());
  if (versions->empty())
    return response::problem(
        error{ec::conflict, fmt::format("no {} stored yet: PUT {} stores one", k.kind, k.path), ""});
  const auto* v = name->empty() ? &versions->front() : find_version(*versions, *name);
  if (v == nullptr)
    return response::problem(404, "not_found", fmt::format("there is no {} {}", k.kind, *name));
  return use_again(store, in, k.kind, *v, ports);
}

response list(control_store& store, const request& in, const std::string& kind) {
  auto versions = store.versions(in.who.tenant, kind);
  if (!versions)
    return response::problem(versions.err());
  auto data = json::array();
  for (const auto& v : *versions)
    data.push_back(version_json(v));
  return response::json(200, json{{"data", data}, {"has_more", false}, {"next_cursor", nullptr}}.dump());
}

/// One version by its number or id, with its document.
response one(control_store& store, const request& in, const std::string& kind, std::string_view name) {
  auto versions = store.versions(in.who.tenant, kind);
  if (!versions)
    return response::problem(versions.err());
  const auto* v = find_version(*versions, name);
  if (v == nullptr)
    return response::problem(404, "not_found", fmt::format("there is no {} {}", kind, name));
  auto out = version_json(*v);
  auto bytes = store.version_bytes(in.who.tenant, kind, v->id);
  if (!bytes)
    return response::problem(bytes.err());
  out["document"] = json::parse(*bytes, nullptr, false);
  return response::json(200, out.dump());
}

void add_document_routes(const document_kind& k, const control_stores& stores, const version_ports& ports,
                         std::vector<route>& out) {
  out.push_back(version_route("POST", k.path + "/check", scope::read, [k](const request& in, const responder& answer) {
    const auto problems = k.check(in.body);
    answer(problems.empty() ? response::json(200, R"({"ok":true})") : refused_document(k.kind, problems));
  }));
  out.push_back(version_route("PUT", k.path, scope::admin, asking(stores, [k, ports](auto& s, const auto& in) {
                                return publish_document(s, in, k, ports, "");
                              })));
  out.push_back(
      version_route("PUT", k.path + "/{version}", scope::admin, asking(stores, [k, ports](auto& s, const auto& in) {
                      return publish_document(s, in, k, ports, in.param("version"));
                    })));
  out.push_back(
      version_route("POST", k.path + "/publish", scope::admin,
                    asking(stores, [k, ports](auto& s, const auto& in) { return publish_named(s, in, k, ports); })));
}

} // namespace

std::vector<route> version_routes(control_stores stores, version_ports ports) {
  std::vector<route> out;
  const auto add_reading = [&](const std::string& path, const std::string& kind) {
    out.push_back(version_route("GET", path, scope::read,
                                asking(stores, [kind](auto& s, const auto& in) { return list(s, in, kind); })));
    out.push_back(version_route(
        "GET", path + "/{version}", scope::read,
        asking(stores, [kind](auto& s, const auto& in) { return one(s, in, kind, in.params.front().second); })));
    out.push_back(version_route(
        "POST", path + "/rollback", scope::admin,
        asking(stores, [kind, ports](auto& s, const auto& in) { return roll_back(s, in, kind, ports); })));
  };
  for (const auto& k : document_kinds()) {
    add_reading(k.path, k.kind);
    add_document_routes(k, stores, ports, out);
  }
  return out;
}

} // namespace pulse::http
