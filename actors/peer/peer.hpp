// What this node answers to the others: published on the node's port, so only what may travel goes through it. Child of
// the node_agent; event-based.
#pragma once

#include <string>

#include "actors/cluster_interfaces.hpp"

namespace pulse {

struct peer_state {
  static inline constexpr const char* name = "pulse.peer";

  /// `run`: of this node.
  peer_state(peer_actor::pointer self, std::string run, node_root_actor agent, connector_actor connector);

  peer_actor::behavior_type make_behavior();

  std::string hello(const std::string& node, const std::string& from_run, const caf::strong_actor_ptr& from,
                    std::int32_t wire);

  peer_actor::pointer self;
  std::string run;
  node_root_actor agent;
  connector_actor connector;
};

using peer = caf::stateful_actor<peer_state, peer_actor::base>;

} // namespace pulse
