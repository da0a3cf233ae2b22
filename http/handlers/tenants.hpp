// The admin listener's routes about tenants and their keys: what the CLI and the console use.
#pragma once

#include <memory>
#include <vector>

#include "base/time.hpp"
#include "http/handlers/blocking.hpp"
#include "ports/admin_store.hpp"

namespace pulse::http {

struct tenant_defaults {
  std::int64_t rate = 1000;
  std::int64_t burst = 5000;
  int slots = 8;
};

/// `revoked` is told the public part of a key that stopped working, so that this node forgets it at once.
std::vector<route> tenant_routes(std::shared_ptr<store_pool<admin_store>> stores, tenant_defaults defaults,
                                 random_source& random, const clock& time,
                                 std::function<void(const std::string&)> revoked);

} // namespace pulse::http
