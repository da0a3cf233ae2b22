// The log in memory, for tests: it keeps the port's promises and breaks what a knob says. Everything happens inside the
// call (append calls `done`, then `wake`), so a simulation on one thread stays one; it is safe from several.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "ports/event_log.hpp"

namespace pulse::testing {

/// What outlives a fake log, as a disk does: hand it to the next one to "open the log anew".
struct fake_log_disk {
  struct partition {
    std::int64_t begin = 0;
    std::deque<log_entry> entries;
  };

  std::map<std::pair<int, int>, partition> partitions;
  log_generation generation{1};
};

class fake_event_log final : public event_log {
public:
  explicit fake_event_log(int slots = 8, std::shared_ptr<fake_log_disk> disk = std::make_shared<fake_log_disk>());

  /// Appends wait, unanswered and unstored, until uncork; those still waiting at the end are forgotten, as in a crash.
  void cork();
  void uncork();

  /// The next n appends are answered with an error; `stored` ones are in the log nevertheless (the outcome of an error
  /// is unknown, and both must be lived with).
  void fail_next(int n, ec code = ec::unavailable, bool stored = false);

  /// The next n appends are stored twice, as a producer's retry does; the answer names the first copy.
  void duplicate_next(int n);

  /// The next n reads fail.
  void fail_reads(int n, ec code = ec::unavailable);

  /// No room on the disk: appends are refused with `no_space`, healthy() says so.
  void fill_disk(bool full);

  /// Waits until records below `end` are there; false when the time is over.
  bool wait_for_committed(log_topic topic, slot_id slot, log_offset end,
                          std::chrono::milliseconds limit = std::chrono::seconds(10));

  /// Everything that is there.
  std::vector<log_record> records(log_topic topic, slot_id slot) const;

  /// Appends that wait behind the cork.
  std::size_t waiting() const;

  log_generation generation() const override;
  int slots() const override;
  void append(log_topic topic, slot_id slot, std::vector<log_entry> entries, append_done done) override;
  result<std::vector<log_record>> read(log_topic topic, slot_id slot, log_offset from, std::size_t records_max,
                                       std::size_t bytes_max) override;
  log_offset end(log_topic topic, slot_id slot) const override;
  log_offset begin(log_topic topic, slot_id slot) const override;
  result<void> trim(slot_id slot, log_offset below) override;
  void on_appended(slot_id slot, std::function<void()> wake) override;
  result<void> healthy() const override;

private:
  struct waiting_append {
    log_topic topic;
    slot_id slot;
    std::vector<log_entry> entries;
    append_done done;
  };

  void carry_out(waiting_append a);
  result<log_offset> store(const waiting_append& a);
  fake_log_disk::partition& at(log_topic topic, slot_id slot) const;

  mutable std::mutex mutex_;
  std::condition_variable committed_;
  int slots_;
  std::shared_ptr<fake_log_disk> disk_;
  std::map<int, std::function<void()>> wakes_;
  std::deque<waiting_append> waiting_;
  bool corked_ = false;
  bool full_ = false;
  int failures_ = 0;
  ec failure_ = ec::unavailable;
  bool failure_stored_ = false;
  int duplicates_ = 0;
  int read_failures_ = 0;
  ec read_failure_ = ec::unavailable;
};

} // namespace pulse::testing
