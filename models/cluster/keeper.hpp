// The lease keeper: one node's part in who owns what, as a state machine without I/O. It is fed with time and the
// database's answers, and says what to ask the database next and which slots to start and stop. One of the nodes is the
// leader as well, by a lease like any other, and says who should hold which slot.
// A lease runs from the *sending* of the request that renewed it, on this machine's clock, which counts suspension;
// storing ends a guard earlier. That keeps two nodes from working on one slot. What keeps data right is the epoch.
// Lifecycle: made at the node's start, driven by one actor (or a simulation), ended by drain or by a newer run of the
// node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "models/cluster/silence.hpp"
#include "models/cluster/types.hpp"

namespace pulse::cluster {

struct keeper_config {
  /// Id, incarnation, address, version, roles, capacity.
  node_row self;
  std::int64_t term_ms = 3000;
  /// A slot that is handed over is given up after so long, finished or not; nothing is lost by it.
  std::int64_t handoff_ms_max = 10000;
  /// Earlier runs of this node that are known to be dead (by the lock of the data directory they ran in): what the last
  /// of them held is freed at once.
  std::vector<std::string> dead_runs;
  placement::settings placement;

  std::int64_t renew_ms() const {
    return term_ms / 3;
  }

  /// While something is changing hands.
  std::int64_t watch_ms() const {
    return term_ms / 15;
  }

  /// An answer that takes longer is not waited for any more.
  std::int64_t answer_ms_max() const {
    return term_ms / 6;
  }

  /// Storing ends so long before the lease does: for a clock that is slow by less than a tenth.
  std::int64_t guard_ms() const {
    return term_ms / 10;
  }

  std::vector<std::string> validate() const;
};

// Requests to the database; each is answered under its number, or with on_failed, or never.

/// Read everything; answer with on_view.
struct look_action {
  std::uint64_t request;
};

/// Write this node's row, if the stored incarnation is `previous` (empty: there is no row), and free what older runs of
/// it held, both or neither. on_joined; on_failed with ec::conflict.
struct join_action {
  std::uint64_t request;
  node_row self;
  std::string previous;
};

/// Heartbeat and renewal of these leases, then read everything, in one transaction; on_view. on_failed with ec::fenced:
/// a newer run of this node has joined.
struct beat_action {
  std::uint64_t request;
  node_state state;
  double load;
  std::vector<held_lease> leases;
};

/// Take those that are free and head here, still under this epoch (the leader's: when free or out). Answer with the
/// ones taken and their new epochs: on_taken.
struct take_action {
  std::uint64_t request;
  std::vector<held_lease> leases;
};

/// Free a lease that this run holds under this epoch; on_released, also when it does not hold it.
struct release_action {
  std::uint64_t request;
  slot_id slot;
  pulse::epoch epoch;
};

/// Carry out, each by itself, if this run leads under this epoch and the row is as seen; write the history. on_placed.
struct place_action {
  std::uint64_t request;
  pulse::epoch epoch;
  std::vector<assignment> assignments;
};

// To the node.

/// Take the slot over under this epoch; `taken_from` as in lease_row.
struct start_action {
  slot_id slot;
  pulse::epoch epoch;
  std::string taken_from;
};

/// Graceful: finish the batch, image, then on_stopped. Else drop it at once; nothing is asked back.
struct stop_action {
  slot_id slot;
  pulse::epoch epoch;
  bool graceful;
};

struct lead_action {
  bool leading;
  pulse::epoch epoch;
};

/// All is handed over and the node has left.
struct drained_action {};

/// A newer run of this node has joined: this one has to end.
struct superseded_action {};

using action = std::variant<look_action, join_action, beat_action, take_action, release_action, place_action,
                            start_action, stop_action, lead_action, drained_action, superseded_action>;

/// Times are milliseconds of a clock that never goes back and counts suspension (clock::monotonic_ms).
class keeper {
public:
  explicit keeper(keeper_config config);

  void start(std::int64_t now, std::vector<action>& out);
  void on_view(std::uint64_t request, const view& v, std::int64_t now, std::vector<action>& out);
  void on_joined(std::uint64_t request, std::int64_t now, std::vector<action>& out);
  void on_taken(std::uint64_t request, const std::vector<held_lease>& taken, std::int64_t now,
                std::vector<action>& out);
  void on_released(std::uint64_t request, std::int64_t now, std::vector<action>& out);
  void on_placed(std::uint64_t request, std::int64_t now, std::vector<action>& out);
  void on_failed(std::uint64_t request, const error& why, std::int64_t now, std::vector<action>& out);
  /// A graceful stop is done.
  void on_stopped(slot_id slot, pulse::epoch epoch, std::int64_t now, std::vector<action>& out);
  /// The store knows of a newer owner, or the slot could not go on: the lease is given up.
  void on_fenced(slot_id slot, pulse::epoch epoch, std::int64_t now, std::vector<action>& out);
  /// Something may have changed (another node said so): look now.
  void on_hint(std::int64_t now, std::vector<action>& out);
  void drain(std::int64_t now, std::vector<action>& out);
  /// Call at next_tick_at, and about every watch_ms at the latest.
  void tick(std::int64_t now, std::vector<action>& out);

  std::int64_t next_tick_at(std::int64_t now) const;

  /// As measured, per slot; goes with the next beat.
  void set_load(slot_id slot, double load);

  /// Storing for this slot is allowed before this moment; nothing when the lease is not held.
  std::optional<std::int64_t> store_until(slot_id slot, pulse::epoch epoch) const;
  bool leading(std::int64_t now) const;

  bool joined() const {
    return phase_ == phase::joined;
  }

  bool draining() const {
    return draining_;
  }

  std::vector<held_lease> held() const;

  /// The last that was seen of the cluster; no heartbeat looks younger than this machine saw it to be.
  const std::optional<view>& last_view() const {
    return view_;
  }

private:
  enum class phase : std::uint8_t { looking, joining, joined, superseded, left };
  enum class request_kind : std::uint8_t { look, join, beat, take, release, place };
  enum class lease_phase : std::uint8_t { held, stopping, releasing };

  struct question {
    request_kind kind;
    std::int64_t sent;
    /// That it is about; of a word of the leader's those that it moves from one node to another.
    std::vector<held_lease> leases;
    bool leaving = false;
  };

  struct lease {
    pulse::epoch epoch;
    /// The end of storing; a lease that was found and not renewed yet has none.
    std::int64_t until = 0;
    lease_phase phase = lease_phase::held;
    std::int64_t stop_by = 0;
    std::int64_t release_at = 0;
    double load = 0;
  };

  std::uint64_t ask(request_kind kind, std::int64_t now, std::vector<held_lease> leases = {});
  std::optional<question> answered(std::uint64_t number, request_kind kind);
  void join(const view& v, std::int64_t now, std::vector<action>& out);
  void beat(std::int64_t now, std::vector<action>& out);
  void note_gap(const question& r, const view& v, std::int64_t now);
  void renew(const question& r, const view& v, std::vector<action>& out);
  void adopt(const view& v, std::vector<action>& out);
  void hand_over(const view& v, std::int64_t now, std::vector<action>& out);
  void take(const view& v, std::int64_t now, std::vector<action>& out);
  void lead(const question& r, const view& v, std::int64_t now, std::vector<action>& out);
  void leave(std::int64_t now, std::vector<action>& out);
  void stop_gently(slot_id slot, lease& l, std::int64_t now, std::vector<action>& out);
  void release(slot_id slot, lease& l, std::int64_t now, std::vector<action>& out);
  void lose(slot_id slot, const lease& l, std::vector<action>& out);
  bool is_mine(const lease_row& l) const;
  bool is_restless(const view& v) const;
  bool anybody_else_takes(const view& v) const;
  bool may_take(std::int64_t now) const;
  std::set<slot_id> resting(std::int64_t now) const;
  bool is_pending(request_kind kind, std::int64_t now) const;
  void schedule(const view& v, std::int64_t sent, std::int64_t now);

  keeper_config config_;
  keeper::phase phase_ = phase::looking;
  bool draining_ = false;
  std::uint64_t next_request_ = 1;
  std::map<std::uint64_t, question> pending_;
  std::map<slot_id, lease> leases_;
  /// Epochs that were given up: never taken up again, whatever a late answer says.
  std::map<slot_id, pulse::epoch> given_up_;
  std::map<slot_id, double> loads_;

  silence silence_;
  /// Heartbeats aged by `silence_`.
  std::optional<view> view_;
  std::uint64_t view_request_ = 0;
  std::int64_t view_sent_ = 0;
  std::int64_t view_at_ = 0;
  std::uint64_t beat_request_ = 0;
  std::int64_t beat_at_ = 0;
  /// Nobody's lease is taken before this: a full term after the last gap in what this node saw.
  std::int64_t patient_until_ = 0;
  std::int64_t placed_at_ = 0;
  /// When this leader last moved each slot from one node to another.
  std::map<slot_id, std::int64_t> moved_at_;
};

} // namespace pulse::cluster
