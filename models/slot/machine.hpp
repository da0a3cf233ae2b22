// The slot as a state machine without I/O: it is fed with records, answers and times, and says what to do next.
// It splits batches by tenant, keeps each tenant's parts in order, joins the answers in raw order, commits in order
// with bounded look-ahead, loads and replays tenants whose child is gone, and sets poison aside.
// Lifecycle: made when the slot is taken over, driven by one actor (or a simulation), dropped when it is given up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "models/slot/types.hpp"

namespace pulse::slot {

struct machine_config {
  std::size_t batch_events_max = 5000;
  std::size_t batch_bytes_max = 16U << 20U;
  /// Batches read and not yet committed: one commits while the next is enriched and scored.
  std::size_t batches_in_flight_max = 2;
  /// A batch that was not full is followed by the next no earlier than this.
  std::int64_t read_interval_ms = 50;
  std::int64_t retry_delay_ms_min = 50;
  std::int64_t retry_delay_ms_max = 5000;
  /// A tenant's state is imaged after so many of its events, or so long after it became dirty.
  std::int64_t image_events = 20000;
  std::int64_t image_interval_ms = 60000;
  std::size_t replay_events_max = 5000;
  /// A sleeping tenant whose stored state is so many records behind is woken to be imaged, so that raw can be trimmed.
  std::int64_t image_lag_records_max = 200000;
  /// A tenant without events for so long is put to sleep; the longest idle first when more are awake.
  std::int64_t idle_ms = 300000;
  std::size_t tenants_awake_max = 2000;
  /// What the models of tenants that are awake may take in memory; the longest idle sleep first when it is more.
  std::size_t model_bytes_max = std::size_t{1} << 30;
  /// More poison than this within a minute: the tenant's events are set aside untried.
  std::size_t poison_per_minute_max = 100;
};

/// Actions, in the order in which they are to be done.
struct read_action {
  log_offset from;
  std::size_t events_max;
  std::size_t bytes_max;
};

/// Make the tenant's children from what is stored; answer with on_loaded or on_load_failed.
struct load_action {
  tenant_id tenant;
  std::uint64_t incarnation;
};

/// Read this tenant's records of [from, to) for a replay, a bounded stretch at a time; answer with on_replay.
struct replay_read_action {
  tenant_id tenant;
  std::uint64_t incarnation;
  log_offset from;
  log_offset to;
};

/// Send to the tenant's children; answer with on_part_done or on_part_failed under part.request.
struct send_action {
  slot::part part;
  std::uint64_t incarnation;
};

/// Store; answer with on_committed or on_commit_failed.
struct commit_action {
  std::shared_ptr<const slot::batch> batch;
};

/// The tenant's images are stored: its children may go.
struct release_action {
  tenant_id tenant;
};

/// The slot has a newer owner, or its data is broken: stop and say why.
struct stop_action {
  error why;
};

/// Something an operator should see.
struct alarm_action {
  std::string name;
  tenant_id tenant;
  std::string detail;
};

using action = std::variant<read_action, load_action, replay_read_action, send_action, commit_action, release_action,
                            stop_action, alarm_action>;

enum class loss : std::uint8_t {
  /// The child threw while it worked on the part: the part is suspected of poison.
  threw,
  /// The child or its node went away for another reason; nothing is held against the part.
  gone,
};

/// A tenant whose stored state is older than its last record, as found at take-over.
struct dirty_tenant {
  tenant_id tenant;
  log_offset as_of;
  log_offset last;
};

class machine {
public:
  machine(machine_config config, log_offset position, const std::vector<dirty_tenant>& dirty);

  // Each of these takes what happened and appends what to do now.
  void start(time_ms now, std::vector<action>& out);
  /// New records may be there.
  void on_wake(time_ms now, std::vector<action>& out);
  void on_records(std::vector<item> items, bool full, time_ms now, std::vector<action>& out);
  void on_read_failed(const error& why, time_ms now, std::vector<action>& out);
  /// `as_of`: the state holds everything up to and including this offset; -1 for none. `set_aside`: stored as poison
  /// or quarantined above it, hence never folded.
  void on_loaded(tenant_id tenant, std::uint64_t incarnation, log_offset as_of,
                 const std::vector<log_offset>& set_aside, time_ms now, std::vector<action>& out);
  /// Tried again with growing delay. What trying cannot mend (`corrupt`, `unsupported`, `not_found`) quarantines the
  /// tenant meanwhile.
  void on_load_failed(tenant_id tenant, std::uint64_t incarnation, const error& why, time_ms now,
                      std::vector<action>& out);
  /// The tenant's records of [from, next); `next` is where the read stopped.
  void on_replay(tenant_id tenant, std::uint64_t incarnation, std::vector<item> items, log_offset next, time_ms now,
                 std::vector<action>& out);
  void on_part_done(part_result result, time_ms now, std::vector<action>& out);
  void on_part_failed(tenant_id tenant, std::uint64_t request, loss kind, const std::string& why, time_ms now,
                      std::vector<action>& out);
  /// The children of a tenant are gone while nothing was under way. False: others have taken their place already.
  bool on_child_lost(tenant_id tenant, std::uint64_t incarnation, time_ms now, std::vector<action>& out);
  void on_committed(std::uint64_t seq, time_ms now, std::vector<action>& out);
  /// A retryable error is tried again with growing delay; any other stops the slot.
  void on_commit_failed(std::uint64_t seq, const error& why, time_ms now, std::vector<action>& out);
  /// Somebody asks the tenant's children: a sleeping tenant wakes, one that is awake stays so. May be called again and
  /// again.
  void on_call(tenant_id tenant, time_ms now, std::vector<action>& out);
  /// Its children have everything that was answered; what is sent to them now is answered as of that, or of later.
  bool is_live(tenant_id tenant) const;
  /// Nobody waits for it any more.
  void call_off(tenant_id tenant);
  /// Its children have been asked: until they answer it does not sleep, unless the slot ends.
  void on_asking(tenant_id tenant);
  /// They have answered, and the models that they hold for it alone take so much; or they did not.
  void on_asked(tenant_id tenant, std::optional<std::size_t> model_bytes);
  /// Why it does not wake; empty: it does.
  std::string cannot_wake(tenant_id tenant) const;
  /// The tenant is a tombstone: records that are split from now on are counted and dropped.
  void on_tenant_deleted(tenant_id tenant);
  /// Call about every read_interval_ms while anything is under way, every second otherwise.
  void tick(time_ms now, std::vector<action>& out);
  /// Reads nothing new, finishes what was read, images every tenant.
  void drain(time_ms now, std::vector<action>& out);

  /// True once drain has nothing left to do.
  bool drained() const;
  bool stopped() const {
    return stopped_;
  }

  /// It wakes nobody any more: another owner will.
  bool ends() const {
    return stopped_ || draining_;
  }

  log_offset position() const {
    return position_;
  }

  /// Raw may be trimmed below this: the position, or the oldest state that is not imaged.
  log_offset trim_bound() const;

  std::size_t batches_in_flight() const {
    return batches_.size();
  }

  std::size_t tenants_awake() const;
  /// Of the models that are in memory for one tenant each.
  std::size_t model_bytes() const;

private:
  struct open_batch {
    std::uint64_t seq = 0;
    log_offset from;
    log_offset to;
    std::vector<item> items;
    std::vector<processed> results;
    std::size_t unanswered = 0;
    std::vector<tenant_images> images;
    std::shared_ptr<const slot::batch> sent;
  };

  /// An item of an open batch that its tenant's children have not answered yet.
  struct place {
    std::uint64_t seq;
    std::size_t index;
  };

  enum class phase : std::uint8_t { asleep, loading, replaying, live };

  /// One tenant within the slot. At most one request is under way, so its items are folded in order.
  struct lane {
    tenant_id tenant;
    slot::machine::phase phase = phase::asleep;
    std::uint64_t incarnation = 0;
    std::uint64_t request = 0;
    std::size_t request_items = 0;
    std::uint64_t flush_request = 0;
    /// Its images are on their way into the store, after which it may sleep.
    bool flushing = false;
    /// Somebody asks its children, and waits until they are live.
    bool called = false;
    /// Its children were asked something beside its parts.
    bool asked = false;
    /// Of the models that its children hold for it alone.
    std::size_t model_bytes = 0;
    std::deque<place> pending;

    log_offset image_as_of{-1};
    log_offset last{-1};
    std::int64_t events_since_image = 0;
    time_ms imaged_at;

    std::deque<item> replay_items;
    log_offset replay_from;
    log_offset replay_to;
    bool replay_reading = false;

    /// Offsets that were in a part under which the child threw: sent one by one until they are through.
    std::optional<std::pair<log_offset, log_offset>> suspects;
    std::map<log_offset, int> strikes;
    /// Set aside above image_as_of, with the reason: a replay leaves them out.
    std::map<log_offset, std::string> poison;
    std::set<log_offset> untried;
    std::deque<time_ms> poison_times;
    /// Until a control record comes: somebody acted.
    bool quarantined = false;
    std::string quarantine_reason;

    time_ms active_at;
    time_ms retry_at;
    std::int64_t retry_delay_ms = 0;
  };

  open_batch& batch_of(std::uint64_t seq);
  lane& lane_of(tenant_id tenant, time_ms now);
  lane* find(tenant_id tenant, std::uint64_t incarnation);
  void read_more(time_ms now, std::vector<action>& out);
  void pump(lane& l, time_ms now, std::vector<action>& out);
  void pump_replay(lane& l, time_ms now, std::vector<action>& out);
  void pump_live(lane& l, time_ms now, std::vector<action>& out);
  void send(lane& l, slot::part part, std::vector<action>& out);
  void send_flush(lane& l, std::vector<action>& out);
  bool is_far_behind(const lane& l) const;
  void pump_commits(time_ms now, std::vector<action>& out);
  void answer(const place& at, processed what);
  bool set_aside(lane& l);
  void suspect(lane& l, time_ms now, const std::string& why, std::vector<action>& out);
  void fall_asleep(lane& l, time_ms now);
  void on_flushed(lane& l, std::vector<chunk_image> images, time_ms now, std::vector<action>& out);
  void release_imaged(const slot::batch& done, std::vector<action>& out);
  void passivate(time_ms now, std::vector<action>& out);
  bool is_suspect(const lane& l, log_offset offset) const;
  bool is_set_aside(const lane& l, log_offset offset) const;
  void quarantine(lane& l, const std::string& why, std::vector<action>& out);

  machine_config config_;
  log_offset position_;
  log_offset next_read_;
  bool reading_ = false;
  bool more_ = true;
  bool draining_ = false;
  bool stopped_ = false;
  time_ms read_at_;
  std::uint64_t next_seq_ = 1;
  std::uint64_t next_request_ = 1;
  std::uint64_t next_incarnation_ = 1;
  std::deque<open_batch> batches_;
  time_ms commit_retry_at_;
  std::int64_t commit_delay_ms_ = 0;
  std::map<tenant_id, lane> lanes_;
  std::set<tenant_id> deleted_;
};

} // namespace pulse::slot
