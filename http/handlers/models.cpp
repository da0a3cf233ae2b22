// GET /v1/models and what is done with models: trained, looked at for drift, promoted, rolled back.
#include <fmt/format.h>

#include "http/handlers/version_answers.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;

/// Of models: the one of what is unusual, and the one that labels teach.
constexpr std::string_view model_kinds[] = {"model", "fraud"};

/// Versions that score in shadow have a kind of their own.
std::string shadow_of(std::string_view kind) {
  return std::string(kind) + "_shadow";
}

/// Id of the model that scores in shadow; empty for none. Error: that of the store.
result<std::string> shadow_id(control_store& store, tenant_id tenant, std::string_view kind) {
  auto versions = store.versions(tenant, shadow_of(kind));
  if (!versions)
    return versions.err();
  return versions->empty() ? std::string() : versions->front().id;
}

json model_json(const listed_model& v, std::string_view kind, const std::string& shadow) {
  auto out = version_json(v);
  if (v.id == shadow && !v.live)
    out["state"] = "shadow";
  out["kind"] = kind == "fraud" ? "fraud" : "anomaly";
  return out;
}

response list_models(control_store& store, const request& in) {
  auto data = json::array();
  for (const auto kind : model_kinds) {
    auto versions = store.versions(in.who.tenant, std::string(kind));
    const auto shadow = shadow_id(store, in.who.tenant, kind);
    if (!versions || !shadow)
      return response::problem(versions ? shadow.err() : versions.err());
    for (const auto& v : *versions)
      data.push_back(model_json(v, kind, *shadow));
  }
  return response::json(200, json{{"data", data}, {"has_more", false}, {"next_cursor", nullptr}}.dump());
}

struct found_model {
  std::string kind;
  listed_model version;
};

/// By id, or by the version of an anomaly model. Error: `not_found`.
result<found_model> find_model(control_store& store, tenant_id tenant, std::string_view name) {
  for (const auto kind : model_kinds) {
    auto versions = store.versions(tenant, std::string(kind));
    if (!versions)
      return versions.err();
    for (const auto& v : *versions)
      if (v.id == name || (kind == "model" && std::to_string(v.version) == name))
        return found_model{std::string(kind), v};
  }
  return error{ec::not_found, fmt::format("there is no model {}", name), ""};
}

response one_model(control_store& store, const request& in) {
  const auto found = find_model(store, in.who.tenant, in.param("id"));
  if (!found)
    return response::problem(found.err());
  const auto shadow = shadow_id(store, in.who.tenant, found->kind);
  return shadow ? response::json(200, model_json(found->version, found->kind, *shadow).dump())
                : response::problem(shadow.err());
}

/// Has a stored model score beside the one in force, with its reasons, until another takes its place or it is promoted.
response cast_shadow(control_store& store, const request& in, const version_ports& ports) {
  const auto found = find_model(store, in.who.tenant, in.param("id"));
  if (!found)
    return response::problem(found.err());
  if (found->version.live)
    return response::problem(error{ec::conflict, "it is in force already", ""});
  auto bytes = store.version_bytes(in.who.tenant, found->kind, found->version.id);
  if (!bytes)
    return response::problem(bytes.err());
  auto control = store.publish(in.who.tenant, shadow_of(found->kind), found->version.id, *bytes, found->version.card,
                               "key " + in.who.key_name);
  if (!control)
    return response::problem(control.err());
  ports.put_in_force(in.who.tenant, *control);
  return response::json(200, json{{"id", found->version.id}, {"from_version", found->version.version}}.dump());
}

/// A stored model in force, as a new version. One that lost its comparison is refused unless `force` is given.
response promote(control_store& store, const request& in, const version_ports& ports) {
  const auto found = find_model(store, in.who.tenant, in.param("id"));
  if (!found)
    return response::problem(found.err());
  const auto card = json::parse(found->version.card, nullptr, false);
  const bool lost = card.is_object() && card.contains("passed") && card["passed"] == false;
  if (lost && in.query_value("force") != "true")
    return response::problem(error{
        ec::conflict,
        fmt::format("it lost against the model in force: {}; force=true promotes it anyway", card.value("why", "")),
        ""});
  return use_again(store, in, found->kind, found->version, ports);
}

/// `kind`: anomaly, unless the query says fraud.
response roll_back_model(control_store& store, const request& in, const version_ports& ports) {
  const auto kind = in.query_value("kind").value_or("anomaly");
  if (kind != "anomaly" && kind != "fraud")
    return response::problem(422, "invalid", "kind: anomaly or fraud");
  return roll_back(store, in, kind == "fraud" ? "fraud" : "model", ports);
}

route training_route(const version_ports& ports, const std::string& path, training_kind kind, int status) {
  return version_route("POST", path, scope::admin, [ports, kind, status](const request& in, responder answer) {
    ports.train(in.who.tenant, kind, [answer = std::move(answer), kind, status](const result<trained_models>& done) {
      if (!done)
        return answer(response::problem(done.err()));
      json out{{"rows", done->rows}};
      if (kind == training_kind::drift) {
        out["drifted"] = done->drifted;
      } else {
        out["id"] = done->id;
        out["fraud"] = {{"id", done->fraud_id.empty() ? json(nullptr) : json(done->fraud_id)},
                        {"why", done->fraud_why}};
      }
      answer(response::json(status, out.dump()));
    });
  });
}

} // namespace

std::vector<route> model_routes(const control_stores& stores, const version_ports& ports) {
  std::vector<route> out;
  out.push_back(version_route("GET", "/v1/models", scope::read, asking(stores, list_models)));
  out.push_back(version_route("GET", "/v1/models/{id}", scope::read, asking(stores, one_model)));
  out.push_back(version_route("POST", "/v1/models/{id}/promote", scope::admin,
                              asking(stores, [ports](auto& s, const auto& in) { return promote(s, in, ports); })));
  out.push_back(version_route("POST", "/v1/models/{id}/shadow", scope::admin,
                              asking(stores, [ports](auto& s, const auto& in) { return cast_shadow(s, in, ports); })));
  out.push_back(
      version_route("POST", "/v1/models/rollback", scope::admin,
                    asking(stores, [ports](auto& s, const auto& in) { return roll_back_model(s, in, ports); })));
  out.push_back(training_route(ports, "/v1/models/train", training_kind::all, 201));
  out.push_back(training_route(ports, "/v1/models/check", training_kind::drift, 200));
  return out;
}

} // namespace pulse::http
