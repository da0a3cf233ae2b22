// Intake while the log is away: what the log refuses goes to this node's own disk, is acknowledged from there, and
// follows into the log, in order, when that is back. Off unless the settings give it room.
//
// A weaker promise than the log's: one disk instead of several brokers, and order only among what this node took. What
// is here is let go only after the log has acknowledged it; a program that ends or dies leaves it for the next run. An
// append whose outcome in the log is unknown may come to stand there twice, which the ids of its events undo.
//
// Each slot has a lane, which is direct (the log takes what comes) or spilling (the disk does, until the log has taken
// all of it). A lane turns when the log refuses, waits for what is under way to be answered before later appends go to
// the disk, and turns back with nothing under way: so later appends never stand before earlier ones.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "ports/event_log.hpp"

namespace pulse {

struct spill_settings {
  /// Of what waits on the disk, over all slots.
  std::uint64_t bytes_max = 0;
  /// Of what a slot holds in memory while it turns; beyond it appends are refused.
  std::size_t held_bytes_max = 16 << 20;
  /// What follows into the log at once.
  std::size_t batch_records_max = 1000;
  std::size_t batch_bytes_max = 1 << 20;
};

struct spill_stats {
  /// On the disk now: taken here and not yet in the log.
  std::int64_t events = 0;
  std::uint64_t bytes = 0;
  int slots = 0;
  /// Since the start.
  std::uint64_t taken = 0;
  std::uint64_t followed = 0;
  std::uint64_t refused = 0;
};

class spill {
public:
  /// `log` answers its last append before this ends. `disk` has as many slots as the log; its topic raw is this
  /// object's alone. Errors: what reading the disk gives.
  static result<std::unique_ptr<spill>> open(event_log& log, std::unique_ptr<event_log> disk, spill_settings settings);

  /// Ends the thread, then the disk's log; what is on the disk stays.
  ~spill();

  /// A thread that calls follow() as long as batches get into the log, and every `retry` where they do not.
  void start(std::chrono::milliseconds retry);
  /// Before the log ends. What is then refused still goes to the disk.
  void stop();

  /// As event_log's for raw, from any thread; the offset says nothing where the disk took it.
  void append(slot_id slot, std::vector<log_entry> entries, event_log::append_done done);

  /// Sends the next batch of each slot that has none on its way; the log's answer lets it go. A batch that the log
  /// refuses is sent again by a later call. From one thread: start()'s, or a test's.
  void follow();

  spill_stats stats() const;

  /// No error while the disk takes what comes.
  result<void> healthy() const;

private:
  struct waiting {
    std::vector<log_entry> entries;
    event_log::append_done done;
    std::size_t bytes = 0;
    /// Why the log did not take it; none of one that was not tried.
    std::optional<error> refused;
  };

  struct lane {
    mutable std::mutex mutex;
    bool spilling = false;
    /// A thread hands over what is queued.
    bool handing = false;
    /// The last batch is on its way to the log: what comes waits, to be first behind it.
    bool turning_back = false;
    bool sending = false;
    int under_way = 0;
    int on_the_way_to_disk = 0;
    /// Refused by the log, for the disk; and what came since.
    std::deque<waiting> returned;
    std::deque<waiting> queued;
    std::size_t queued_bytes = 0;
  };

  /// What is on its way from the disk into the log.
  struct batch {
    log_offset next;
    std::size_t entries = 0;
    std::size_t bytes = 0;
  };

  spill(event_log& log, std::unique_ptr<event_log> disk, spill_settings settings);

  result<void> recover();
  lane& at(slot_id slot);
  bool reserve(std::size_t bytes);
  void refuse(waiting w, error why);
  void hand_over(slot_id slot, std::unique_lock<std::mutex>& lock);
  void to_log(slot_id slot, waiting w);
  void to_disk(slot_id slot, waiting w);
  void answered(slot_id slot, waiting w, result<log_offset> at);
  void stored(slot_id slot, std::size_t entries, std::size_t bytes, bool ok);
  void follow(slot_id slot);
  void followed(slot_id slot, const batch& sent, const result<log_offset>& at);
  void turn_back_if_empty(slot_id slot, lane& l) const;
  void wake();

  event_log& log_;
  std::unique_ptr<event_log> disk_;
  spill_settings settings_;
  std::vector<std::unique_ptr<lane>> lanes_;
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::int64_t> events_{0};
  std::atomic<std::uint64_t> taken_{0};
  std::atomic<std::uint64_t> followed_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::mutex due_mutex_;
  std::condition_variable due_changed_;
  bool due_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace pulse
