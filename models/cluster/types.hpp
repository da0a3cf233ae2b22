// What the nodes of a cluster know of each other: rows of the database, seen together at one moment of its time.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/placement/placement.hpp"

namespace pulse::cluster {

/// The leader's lease is a lease like any other, under a number that no slot has.
inline constexpr slot_id leader_slot{-1};

/// `left` is said by the node itself, at its end; dead is what others conclude from its silence.
enum class node_state : std::uint8_t { live, draining, left };

struct node_row {
  node_id id;
  /// Names one run of the program: whoever starts anew is another one.
  std::string incarnation;
  std::string address;
  std::string version;
  /// The newest formats of files that this run reads, see formats.hpp.
  std::int32_t formats = 1;
  /// When a run of this node that read less was last heard of.
  time_ms older_until = {};
  /// `slots`, `gateway`, `work`.
  std::vector<std::string> roles = {"slots", "gateway", "work"};
  double capacity = 1;
  /// The sum over its slots, as it measured it.
  double load = 0;
  /// Events that wait on its disk until the log takes them; kept when it vanishes.
  std::int64_t spilled = 0;
  node_state state = node_state::live;
  /// Somebody asked for this run to drain.
  bool drain_wanted = false;
  time_ms heartbeat;
};

bool has_role(const node_row& n, std::string_view role);

struct lease_row {
  slot_id slot;
  /// Empty: the lease is free.
  node_id holder;
  std::string incarnation;
  /// Of the last one that held it.
  pulse::epoch epoch;
  /// In the database's time.
  time_ms expires;
  /// Who should hold it. Another than the holder: the holder is to give it up.
  node_id heading;
  double load = 0;
  /// The run that the lease was taken from, while it is not known to have stopped: the next holder ends what that run
  /// still has open in the database. Empty after a release.
  std::string taken_from;
  /// The looking node saw it unchanged for more than a term of its own clock, see silence.hpp: nobody renews it.
  bool silent = false;
};

struct view {
  /// The database's time at which this was true.
  time_ms now;
  std::vector<node_row> nodes;
  /// One a slot, and the leader's.
  std::vector<lease_row> leases;
};

/// What runs on a node, as it says itself.
struct census {
  node_id node;
  /// Nodes that it is linked with.
  std::int64_t links = 0;
  std::int64_t supervisors = 0;
  /// Tenants that its gateway sees.
  std::int64_t ingestion = 0;
  /// Of these, whose supervisor is on another node.
  std::int64_t ingestion_of_others = 0;
  /// Of these, whose supervisor is not found.
  std::int64_t ingestion_alone = 0;
};

/// A lease that its holder had not renewed in time. More than two terms ahead can only be a database clock that was set
/// back; so can one that is not renewed.
inline bool is_out(const lease_row& l, time_ms now, std::int64_t term_ms) {
  const auto left = l.expires.value - now.value;
  return l.silent || left <= 0 || left > 2 * term_ms;
}

inline bool is_free(const lease_row& l) {
  return l.holder.value.empty();
}

struct held_lease {
  slot_id slot;
  pulse::epoch epoch;
  double load = 0;
  /// In answers only: as in lease_row.
  std::string taken_from = {};
  /// In takes of the leader's lease only: it is silent with this end, and is out as long as that stands.
  time_ms silent_end = {};
};

/// The leader's word on one slot. Holds only while the row still is what the leader saw.
struct assignment {
  slot_id slot;
  /// As seen.
  pulse::epoch epoch;
  time_ms expires;
  node_id from;
  node_id to;
  /// The lease is out: it is taken from its holder.
  bool free = false;
  double load = 0;
  std::string reason;
  /// It is out because it is silent, whatever the database's clock says.
  bool silent = false;
};

/// What the leader would have done now. `may_take`: leases that are out may be taken from their holders, and silent
/// nodes are dead; without it both are left as they are. `resting`: slots that are not moved only to even out.
std::vector<assignment> assign(const view& v, bool may_take, std::int64_t term_ms, const placement::settings& s,
                               const std::set<slot_id>& resting = {});

} // namespace pulse::cluster
