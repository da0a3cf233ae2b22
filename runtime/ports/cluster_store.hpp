// Port: the rows by which nodes agree who owns what, in the database's time. All calls block and belong to one thread.
// What makes it safe is that each call changes a row only while the row is as its caller knows it.
// Adapter: postgres/cluster_store. Fake: tests/support/fake_cluster_store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "models/cluster/types.hpp"

namespace pulse {

/// Who asks: one run of a node.
struct node_run {
  node_id node;
  std::string incarnation;
};

/// Why a slot was sent where it is.
struct past_move {
  time_ms at;
  slot_id slot;
  node_id from;
  node_id to;
  /// Of the leader that decided, and its name.
  pulse::epoch leader_epoch;
  node_id leader;
  double load = 0;
  std::string reason;
};

class cluster_store {
public:
  virtual ~cluster_store() = default;

  virtual result<cluster::view> look() = 0;

  /// Writes the node's row if the stored incarnation is `previous` (empty: there is no row), makes the leases' rows
  /// where they are missing, and frees what other runs of this node hold; all or nothing. `conflict`: another run was
  /// faster.
  virtual result<void> join(const cluster::node_row& self, const std::string& previous) = 0;

  /// Heartbeat, renewal by a full term of those leases that this run holds under the given epochs, and what is then
  /// true. A lease that is out, but that nobody took, is renewed as well. `fenced`: a newer run of this node has
  /// joined.
  virtual result<cluster::view> beat(const node_run& me, cluster::node_state state, double load,
                                     const std::vector<cluster::held_lease>& leases) = 0;

  /// Takes those that are free, head here and still are under the given epoch; the leader's when it is free or out, or
  /// still has its silent end.
  /// Each gets a higher epoch, one that the slot's position has not seen either. Answers with the ones that were taken.
  virtual result<std::vector<cluster::held_lease>> take(const node_run& me,
                                                        const std::vector<cluster::held_lease>& leases) = 0;

  /// Frees the lease if this run holds it under this epoch.
  virtual result<void> release(const node_run& me, slot_id slot, pulse::epoch epoch) = 0;

  /// Carries out the assignments whose rows are as the leader saw them and writes the history; how many. A lease is
  /// freed when it is out, or silent as the leader saw it, and was not renewed since. `fenced`: this run does not lead
  /// under this epoch any more.
  virtual result<std::int64_t> place(const node_run& me, pulse::epoch leader_epoch,
                                     const std::vector<cluster::assignment>& assignments) = 0;

  /// Asks the node's present run to drain. `not_found`.
  virtual result<void> ask_drain(const node_id& node) = 0;

  /// The latest moves, newest first.
  virtual result<std::vector<past_move>> history(std::int64_t max) = 0;
};

} // namespace pulse
