#include "http/handlers/version_answers.hpp"

#include <charconv>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "http/handlers/problems.hpp"
#include "models/enrichment/mapping.hpp"
#include "models/rules/lists.hpp"
#include "models/rules/rule_set.hpp"
#include "models/rules/warnings.hpp"
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
  /// What is odd about a document that can be published, looked at with the tenant's lists (empty: none); may be null.
  std::vector<note> (*warn)(std::string_view document, std::string_view lists) = nullptr;
};

std::vector<note> rule_warnings(std::string_view document, std::string_view lists) {
  const auto set = rules::rule_set::compile(document);
  const auto known = lists.empty() ? result<std::shared_ptr<const rules::compiled_lists>>(nullptr)
                                   : rules::compiled_lists::compile(lists);
  if (!set || !known)
    return {};
  return as_notes(rules::warnings_of(**set, known->get()));
}

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
       named_bytes<rules::rule_set>, rule_warnings},
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

/// The lists in force, or about to be; empty for none. Error: that of the store.
result<std::string> latest_lists(control_store& store, tenant_id tenant) {
  const auto versions = store.versions(tenant, "lists");
  if (!versions)
    return versions.err();
  const auto found =
      std::find_if(versions->begin(), versions->end(), [](const listed_model& v) { return v.live || v.pending; });
  return found == versions->end() ? std::string() : store.version_bytes(tenant, "lists", found->id);
}

/// Adds `warnings` where there are any. Error: that of the store.
result<void> add_warnings(control_store& store, const request& in, const document_kind& k, json& answer) {
  if (k.warn == nullptr)
    return {};
  const auto lists = latest_lists(store, in.who.tenant);
  if (!lists)
    return lists.err();
  for (const auto& w : k.warn(in.body, *lists))
    answer["warnings"].push_back({{"pointer", w.pointer}, {"code", w.code}, {"detail", w.detail}});
  return {};
}

response checked(control_store& store, const request& in, const document_kind& k) {
  json out{{"ok", true}};
  const auto added = add_warnings(store, in, k, out);
  return added ? response::json(200, out.dump()) : response::problem(added.err());
}

response stored(control_store& store, const request& in, const document_kind& k) {
  auto versions = store.versions(in.who.tenant, k.kind);
  if (!versions || versions->empty())
    return response::problem(versions ? error{ec::internal, "the version that was stored is not there", ""}
                                      : versions.err());
  auto out = version_json(versions->front());
  // It is stored: a store that is away now costs the warnings alone.
  (void)add_warnings(store, in, k, out);
  return response::json(201, out.dump());
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
  if (wants_dry_run(in)) {
    json out{{"ok", true}, {"id", id}};
    const auto added = add_warnings(store, in, k, out);
    return added ? response::json(200, out.dump()) : response::problem(added.err());
  }
  auto control = store.publish(in.who.tenant, k.kind, id, canonical, "{}", "key " + in.who.key_name);
  if (!control)
    return response::problem(control.err());
  ports.put_in_force(in.who.tenant, *control);
  return stored(store, in, k);
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
  const auto warned = asking(stores, [k](auto& s, const auto& in) { return checked(s, in, k); });
  out.push_back(version_route("POST", k.path + "/check", scope::read, [k, warned](request in, responder answer) {
    if (const auto problems = k.check(in.body); !problems.empty())
      return answer(refused_document(k.kind, problems));
    if (k.warn == nullptr)
      return answer(response::json(200, R"({"ok":true})"));
    warned(std::move(in), std::move(answer));
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
        asking(stores, [kind](auto& s, const auto& in) { return one(s, in, kind, in.param("version")); })));
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
