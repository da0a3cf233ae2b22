// The routes about endpoints and alerts: /v1/endpoints, /v1/alerts, and the operators' allowance of private networks.
#pragma once

#include <memory>
#include <vector>

#include "base/net.hpp"
#include "base/time.hpp"
#include "http/handlers/blocking.hpp"
#include "ports/alert_admin.hpp"

namespace pulse::http {

struct alert_parts {
  std::shared_ptr<store_pool<alert_admin>> stores;
  random_source& random;
  /// Private networks that every tenant's webhooks may reach.
  std::vector<cidr> allow;
  /// There is something to send for a tenant.
  std::function<void(tenant_id)> wake;
  const clock& time = system_clock();
};

std::vector<route> endpoint_routes(const alert_parts& p);
/// With those of feedback.
std::vector<route> alert_routes(const alert_parts& p);
/// What people say of alerts, and what came of it.
std::vector<route> feedback_routes(const alert_parts& p);

/// `PUT /admin/v1/tenants/{tenant}/webhook-allow {"cidrs":["127.0.0.1/32"]}`; the tenant by its number.
std::vector<route> alert_admin_routes(const alert_parts& p);

} // namespace pulse::http
