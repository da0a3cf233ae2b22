// What makes a node one of a cluster: its name, the name of this run, and how its lease keeper reaches the database.
#pragma once

#include <string>
#include <vector>

#include "actors/node_agent/node_agent.hpp"
#include "base/time.hpp"
#include "settings/settings.hpp"
#include "spill/spill.hpp"

namespace pulse {

struct node_names {
  /// The same over restarts.
  std::string id;
  /// Of this run alone: in the database's sessions, leases, stored rows and log lines.
  std::string run;
  /// Earlier runs out of the same data directory, whose lock this run holds: they are dead.
  std::vector<std::string> dead_runs;
};

/// Reads or makes the names that the data directory keeps, and writes this run's down.
result<node_names> name_node(const settings& conf, random_source& random);

/// With `spilled`, heartbeats say how much of it waits.
std::unique_ptr<cluster_store> make_cluster_store(const settings& conf, const node_names& names, const event_log& log,
                                                  const spill* spilled);

/// What the connections between nodes are made of: CAF's modules, mutual TLS where certificates are set. The error says
/// which file is wrong, or that a port off loopback needs them.
result<void> set_up_links(const settings& conf, caf::actor_system_config& config);

/// `gate` as in actor_context.
result<cluster_part> make_cluster_part(const settings& conf, const node_names& names, const event_log& log,
                                       const spill* spilled, std::shared_ptr<lease_gate> gate,
                                       caf::actor_system& system);

} // namespace pulse
