// POST /v1/mappings/dry-run: what a mapping would change in events that are stored. Keeps nothing.
#pragma once

#include <memory>

#include "http/handlers/blocking.hpp"
#include "ports/query_store.hpp"

namespace pulse::http {

/// The body is the mapping; the query chooses events as GET /v1/events does, the latest 100 unless it says more. Stored
/// events have been through the mapping that was in force: the answer shows what would change from there on.
route mapping_dry_run_route(const std::shared_ptr<store_pool<query_store>>& stores);

} // namespace pulse::http
