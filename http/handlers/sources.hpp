// /v1/sources: a tenant's own Kafka topics that are read as its events.
#pragma once

#include <memory>
#include <vector>

#include "base/net.hpp"
#include "http/handlers/blocking.hpp"
#include "ports/source_store.hpp"

namespace pulse::http {

struct source_parts {
  std::shared_ptr<store_pool<source_store>> stores;
  /// Private networks that every tenant's connections may reach.
  std::vector<cidr> allow;
};

std::vector<route> source_routes(const source_parts& p);

} // namespace pulse::http
