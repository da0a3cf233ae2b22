// GET /v1/campaigns and /v1/campaigns/proposal: what each campaign brought, with an interval, and where a part of the
// money would bring more.
#pragma once

#include <memory>
#include <vector>

#include "http/handlers/blocking.hpp"
#include "ports/query_store.hpp"

namespace pulse::http {

/// `time` outlives the routes.
std::vector<route> campaign_routes(const std::shared_ptr<store_pool<query_store>>& stores, const clock& time);

} // namespace pulse::http
