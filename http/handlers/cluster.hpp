// /admin/v1/nodes, /admin/v1/moves: who is there, who owns what and why it was moved; asking a node to drain. From the
// database's rows, so that any node answers for all, also one that has lost the others. What runs on a node it says
// itself; of one that does not answer nothing is told.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "http/handlers/blocking.hpp"
#include "http/middleware/message.hpp"
#include "ports/cluster_store.hpp"

namespace pulse::http {

struct cluster_ports {
  /// Null where the node is alone with its embedded log.
  std::shared_ptr<store_pool<cluster_store>> stores;
  /// The answering node and this run of it.
  node_id self;
  std::string run;
  std::string version;
  std::int64_t term_ms = 3000;
  placement::settings placement;
  /// What runs on each node that answers; may block for a second.
  std::function<std::vector<cluster::census>()> look_around;
};

std::vector<route> cluster_routes(const cluster_ports& p);

} // namespace pulse::http
