// POST /v1/rules/dry-run: what rules would say of events that are stored. Keeps nothing.
#pragma once

#include <memory>

#include "http/handlers/blocking.hpp"
#include "ports/query_store.hpp"

namespace pulse::http {

/// The body is a document of rules; the query chooses events as GET /v1/events does, at most 20,000, in the order of
/// their own time. The model's part stays what was stored; windows count the chosen events alone; lists are those in
/// force.
route rules_dry_run_route(const std::shared_ptr<store_pool<query_store>>& stores);

} // namespace pulse::http
