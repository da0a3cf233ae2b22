// Which routes stand on which listener, made of the handlers and the adapters behind them.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "actors/interfaces.hpp"
#include "base/worker_pool.hpp"
#include "http/middleware/key_gate.hpp"
#include "http/middleware/message.hpp"
#include "settings/settings.hpp"
#include "telemetry/metrics.hpp"

namespace pulse {

struct route_parts {
  const settings& conf;
  const std::string& name;
  worker_pool& workers;
  caf::actor_system& system;
  node_agent_actor agent;
  pulse::metrics& metrics;
  std::shared_ptr<http::key_gate> gate;
  std::function<result<void>()> ready;
  /// Before metrics are read: what the log counts by itself.
  std::function<void(pulse::metrics&)> show_log;
};

struct route_lists {
  std::vector<http::route> gateway;
  std::vector<http::route> admin;
};

route_lists make_routes(const route_parts& p);

} // namespace pulse
