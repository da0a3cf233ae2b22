// Failed events, sent again through ingestion as if they had just come: those that are taken now are marked.
#pragma once

#include <memory>

#include "http/handlers/blocking.hpp"
#include "http/middleware/message.hpp"
#include "ports/failed_store.hpp"
#include "ports/ingest.hpp"

namespace pulse::http {

/// POST /v1/failed-events/replay, scope admin: 1,000 at most in one call, the oldest first; `?dry_run=true` counts.
route failed_replay_route(const std::shared_ptr<store_pool<failed_store>>& stores, ingest_port ingest);

} // namespace pulse::http
