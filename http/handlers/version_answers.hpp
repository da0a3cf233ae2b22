// What the routes of versions have in common: documents that tenants write (versions.cpp) and models (models.cpp).
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "http/handlers/versions.hpp"

namespace pulse::http {

using control_stores = std::shared_ptr<store_pool<control_store>>;

/// Its number, id, times, state (draft, pending, live, retired) and card.
nlohmann::ordered_json version_json(const listed_model& v);

bool wants_dry_run(const request& in);

/// By number or id; null when there is no such version.
const listed_model* find_version(const std::vector<listed_model>& versions, std::string_view name);

/// The `version` that a body `{"version": …}` names, as text; empty for none, nothing when the body is something else.
std::optional<std::string> named_version(const std::string& body);

/// Puts a version that is stored in force again, as a new version.
response use_again(control_store& store, const request& in, const std::string& kind, const listed_model& v,
                   const version_ports& ports);

/// Puts the version before the live one, or the one that the body names, in force again.
response roll_back(control_store& store, const request& in, const std::string& kind, const version_ports& ports);

route version_route(std::string method, std::string pattern, scope needed,
                    std::function<void(request, responder)> handle);

/// A handler that asks a worker's store.
std::function<void(request, responder)> asking(control_stores stores,
                                               std::function<response(control_store&, const request&)> ask);

} // namespace pulse::http
