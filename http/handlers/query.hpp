// Reading: metrics, events, trails, failed events, limits. Each asks a worker's query_store for the key's own tenant.
#pragma once

#include <memory>
#include <vector>

#include "http/handlers/blocking.hpp"
#include "http/middleware/message.hpp"
#include "ports/query_store.hpp"

namespace pulse::http {

/// The GET routes below /v1 that answer from the store; scope `read`. `time` outlives them.
std::vector<route> query_routes(const std::shared_ptr<store_pool<query_store>>& stores, const clock& time);

} // namespace pulse::http
