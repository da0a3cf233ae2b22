// Mappings and models: versions that are checked, stored, and put in force by a control record.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "http/handlers/blocking.hpp"
#include "ports/control_store.hpp"

namespace pulse::http {

/// What the handlers ask of the node; never blocks.
struct version_ports {
  /// Sends the control record to the tenant's partition.
  std::function<void(tenant_id, const slot::control&)> put_in_force;
  /// Trains the tenant's model; `done` on any thread with its id and the number of rows.
  std::function<void(tenant_id, std::function<void(result<std::pair<std::string, std::size_t>>)>)> train;
};

std::vector<route> version_routes(std::shared_ptr<store_pool<control_store>> stores, version_ports ports);

} // namespace pulse::http
