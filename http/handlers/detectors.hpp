// POST /v1/detectors/dry-run: what the watch over the tenant's metrics would have told with other settings.
#pragma once

#include <memory>

#include "base/time.hpp"
#include "http/handlers/blocking.hpp"
#include "ports/series_store.hpp"

namespace pulse::http {

/// The body is a document of detectors, or nothing for those in force. The watch goes over the last weeks as it goes
/// over each new hour, with the same code; keeps nothing.
route detectors_dry_run_route(const std::shared_ptr<store_pool<series_store>>& stores, const clock& time);

} // namespace pulse::http
