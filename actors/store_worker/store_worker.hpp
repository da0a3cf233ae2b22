// Blocking work with settings, versions and deliveries. Detached; the node_agent has a small fixed number of them.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

struct store_worker_state {
  static inline constexpr const char* name = "pulse.store_worker";

  store_worker_state(store_worker_actor::pointer self, context_ptr context);

  store_worker_actor::behavior_type make_behavior();

  store_worker_actor::pointer self;
  context_ptr context;
  std::unique_ptr<control_store> store;
  /// Null where the node has no store of alerts.
  std::unique_ptr<alert_store> alerts;
};

using store_worker = caf::stateful_actor<store_worker_state, store_worker_actor::base>;

} // namespace pulse
