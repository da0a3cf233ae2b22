// GET /v1/forecasts/{metric}: what a metric is expected to be, with intervals, and whether it is on course for a goal.
#pragma once

#include <memory>

#include "http/handlers/blocking.hpp"
#include "ports/query_store.hpp"

namespace pulse::http {

/// `time` outlives the route.
route forecast_route(const std::shared_ptr<store_pool<query_store>>& stores, const clock& time);

} // namespace pulse::http
