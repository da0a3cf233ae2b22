// The log's data base: offsets, batches, reads and trims, without queue or thread. `commit` belongs to one thread; the
// rest may be called from any. Inner to rocks/.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <rocksdb/db.h>

#include "rocks/rocks_event_log.hpp"

namespace pulse {

/// One call of append on its way through the writer.
struct pending_append {
  log_topic topic = log_topic::raw;
  slot_id slot;
  std::vector<log_entry> entries;
  event_log::append_done done;
  std::size_t bytes = 0;
  /// Set by commit.
  log_offset first;
  /// Refused before it came to writing.
  std::optional<error> refused;
};

class rocks_log_store {
public:
  static result<std::unique_ptr<rocks_log_store>> open(const rocks_log_settings& settings, time_ms now,
                                                       rocksdb::Env* env);
  ~rocks_log_store();

  /// One atomic batch, synced where raw is in it. Gives each append its offset; ends move only when all is written.
  result<void> commit(std::span<pending_append> appends);

  result<std::vector<log_record>> read(log_topic topic, slot_id slot, log_offset from, std::size_t records_max,
                                       std::size_t bytes_max) const;
  result<void> trim(log_topic topic, slot_id slot, log_offset below);

  bool has(log_topic topic, slot_id slot) const;

  log_generation generation() const {
    return generation_;
  }

  int slots() const {
    return settings_.slots;
  }

  log_offset begin(log_topic topic, slot_id slot) const;
  log_offset end(log_topic topic, slot_id slot) const;

private:
  struct partition {
    std::atomic<std::int64_t> begin = 0;
    std::atomic<std::int64_t> end = 0;
    /// Taps: where batches ended and how large they were, oldest first; the writer's alone.
    std::deque<std::pair<std::int64_t, std::size_t>> batches;
    std::size_t bytes = 0;
  };

  rocks_log_store(const rocks_log_settings& settings, std::unique_ptr<rocksdb::DB> db,
                  std::vector<rocksdb::ColumnFamilyHandle*> families);

  result<void> recover(time_ms now);
  result<std::int64_t> number(const std::string& name, std::int64_t otherwise);
  result<void> recover_partition(log_topic topic, slot_id slot);
  void forget_old_taps();
  rocksdb::ColumnFamilyHandle* family(log_topic topic) const;
  partition& at(log_topic topic, slot_id slot);
  const partition& at(log_topic topic, slot_id slot) const;

  rocks_log_settings settings_;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  log_generation generation_;
  std::vector<std::unique_ptr<partition>> partitions_;
  std::mutex trimming_;
};

} // namespace pulse
