// Keeps a direct link to every other node of the cluster: probes its port with a time limit, dials, says hello until
// that is answered, and does so again with growing, jittered delay when the link breaks. Of two nodes the one whose
// name is less dials. Detached: a probe may block it for half a second. Child of the node_agent; lives as long as the
// node.
#pragma once

#include <caf/io/middleman_actor.hpp>
#include <map>
#include <string>

#include "actors/cluster_interfaces.hpp"
#include "base/time.hpp"

namespace pulse {

struct connector_config {
  std::string node;
  std::string run;
  const clock& time;
  random_source& random;
  /// Makes connections: CAF's own over TCP or its twin over TLS.
  caf::io::middleman_actor dialer;
  std::int32_t wire = wire_version;
};

struct connector_state {
  static inline constexpr const char* name = "pulse.connector";

  /// The link to one other node. `to` is empty while there is none.
  struct link {
    std::string run;
    std::string address;
    last_peer_actor to;
    bool dialing = false;
    std::int64_t retry_at = 0;
    std::int64_t delay_ms = 0;
  };

  connector_state(connector_actor::pointer self, connector_config config, node_root_actor agent);

  connector_actor::behavior_type make_behavior();

  void see(const cluster::view& view);
  void dial(const std::string& node, link& l);
  void hello(const std::string& node, const std::string& run, const caf::strong_actor_ptr& found, std::int32_t wire);
  void linked(const std::string& node, const std::string& run, const caf::strong_actor_ptr& to, std::int32_t wire);
  void failed(const std::string& node, const std::string& run, const std::string& why);
  void unlink(const std::string& node, link& l);
  void tick();

  connector_actor::pointer self;
  connector_config config;
  node_root_actor agent;
  /// What this node answers with.
  caf::strong_actor_ptr own_peer;
  std::map<std::string, link> links;
  std::int64_t looked_at = 0;
};

using connector = caf::stateful_actor<connector_state, connector_actor::base>;

/// Whether something accepts connections there within so long; why not.
result<void> probe(const std::string& host, std::uint16_t port, int within_ms);

} // namespace pulse
