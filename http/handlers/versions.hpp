// Mappings and models: versions that are checked, stored, and put in force by a control record.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/handlers/blocking.hpp"
#include "ports/control_store.hpp"

namespace pulse::http {

/// What the handlers ask of the node; never blocks.
struct trained_models {
  std::string id;
  std::size_t rows = 0;
  /// Empty when no fraud model passed; `fraud_why` says why.
  std::string fraud_id;
  std::string fraud_why;
  std::vector<std::string> drifted;
};

struct version_ports {
  /// Sends the control record to the tenant's partition.
  std::function<void(tenant_id, const slot::control&)> put_in_force;
  /// A training of the tenant's models; `done` on any thread.
  std::function<void(tenant_id, training_kind, std::function<void(result<trained_models>)>)> train;
};

/// Of documents that tenants write.
std::vector<route> version_routes(std::shared_ptr<store_pool<control_store>> stores, version_ports ports);

/// Of models.
std::vector<route> model_routes(const std::shared_ptr<store_pool<control_store>>& stores, const version_ports& ports);

} // namespace pulse::http
