// Which routes stand on which listener, made of the handlers and the adapters behind them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "actors/cluster_interfaces.hpp"
#include "base/worker_pool.hpp"
#include "http/handlers/health.hpp"
#include "http/middleware/key_gate.hpp"
#include "http/middleware/message.hpp"
#include "ports/cluster_store.hpp"
#include "settings/settings.hpp"
#include "telemetry/metrics.hpp"

namespace pulse {

struct route_parts {
  const settings& conf;
  const std::string& name;
  worker_pool& workers;
  caf::actor_system& system;
  node_root_actor agent;
  pulse::metrics& metrics;
  std::shared_ptr<http::key_gate> gate;
  std::function<result<void>()> ready;
  /// Before metrics are read: what the log counts by itself.
  std::function<void(pulse::metrics&)> show_log;
  /// How to reach the cluster's rows; empty on a node alone.
  std::function<std::unique_ptr<cluster_store>()> make_cluster_store;
  /// The node's id in the cluster.
  std::string node_id;
  /// Unset where nothing can be spilled.
  std::function<http::spill_note()> spilled = nullptr;
};

struct route_lists {
  std::vector<http::route> gateway;
  std::vector<http::route> admin;
};

route_lists make_routes(const route_parts& p);

} // namespace pulse
