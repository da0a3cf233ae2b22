// What tenants say of their events afterwards: POST and GET /v1/labels, and what labels say of what was decided.
#pragma once

#include "base/time.hpp"
#include "http/handlers/blocking.hpp"
#include "ports/label_store.hpp"

namespace pulse::http {

struct label_ports {
  /// Sends the control record to the tenant's partition; never blocks.
  std::function<void(tenant_id, const slot::control&)> put_in_force;
  /// Counts a label that came and what had been decided on its event.
  std::function<void(const label_and_outcome&)> count;
};

std::vector<route> label_routes(const std::shared_ptr<store_pool<label_store>>& stores, const clock& time,
                                const label_ports& ports);

} // namespace pulse::http
