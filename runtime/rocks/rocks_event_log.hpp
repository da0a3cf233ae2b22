// The embedded log: the event_log port over one RocksDB. A writer thread turns whatever waits into one write batch
// and one fsync (group commit); `done` and `wake` run on it. Made by runtime/node when no Kafka is configured.
//
// Raw is synced before it is acknowledged. Taps are not, and are kept up to a number of bytes per slot. When a write
// fails, every append is answered `unavailable` until the log is opened anew: after a failed fsync nobody knows what
// the disk has, and only reading it again tells.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/time.hpp"
#include "ports/event_log.hpp"

namespace rocksdb {
class Env;
} // namespace rocksdb

namespace pulse {

struct rocks_log_settings {
  /// Directory; made when it is not there. One process at a time has it open.
  std::string path;
  /// Fixed when the log is made; another number later is refused.
  int slots = 8;
  /// Waiting appends beyond this are refused with `unavailable`; one is always admitted.
  std::size_t queue_bytes_max = 64 << 20;
  /// One write batch; one append is always written as a whole.
  std::size_t batch_bytes_max = 8 << 20;
  /// What a slot's tap keeps.
  std::size_t tap_bytes_max = 64 << 20;
  /// Appends are refused with `no_space` when the disk has less, long before RocksDB itself would fail.
  std::uint64_t free_bytes_min = 512ULL << 20;

  /// Every problem: `invalid` with the setting's name as pointer.
  result<void> validate() const;
};

/// What a test puts in the place of the machine.
struct rocks_log_hooks {
  /// Free bytes for this user on the directory's disk; unset: statvfs.
  std::function<result<std::uint64_t>(const std::string& path)> free_bytes;
  /// Unset: RocksDB's own.
  rocksdb::Env* env = nullptr;
};

/// Counted since the log was opened.
struct rocks_log_stats {
  std::uint64_t entries = 0;
  std::uint64_t batches = 0;
  std::uint64_t syncs = 0;
  std::uint64_t refused = 0;
  std::size_t queue_bytes = 0;
};

class rocks_event_log final : public event_log {
public:
  /// `now` names the generation of a log that is made. Errors: `invalid` (settings, number of slots), `conflict`
  /// (another process has it open), `corrupt`, `no_space`, `unavailable`.
  static result<std::unique_ptr<rocks_event_log>> open(const rocks_log_settings& settings, time_ms now,
                                                       rocks_log_hooks hooks = {});

  /// Writes what waits, then closes.
  ~rocks_event_log() override;

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

  rocks_log_stats stats() const;

private:
  class writer;

  explicit rocks_event_log(std::unique_ptr<writer> w);

  std::unique_ptr<writer> writer_;
};

} // namespace pulse
