// Port: the durable log. A topic has one partition per slot; raw is the only one that PulseEcom itself reads.
// Adapters: rocks/ (embedded), kafka/ (cluster); fake: tests/support. All pass tests/integration's contract suite.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pulse {

enum class log_topic : std::uint8_t { raw, enriched, scored, failed, alerts };

/// What a producer hands in.
struct log_entry {
  tenant_id tenant;
  /// tenant/entity.
  std::string key;
  std::string value;
  /// W3C traceparent; empty for none.
  std::string traceparent;
  /// Taps only: `slot/offset` of the raw record, and the writer's epoch.
  std::string source;
  epoch writer;
};

struct log_record {
  log_offset offset;
  log_entry entry;
};

class event_log {
public:
  /// Called once per append, on a thread of the log: the offset of the first entry, after the bytes are durable
  /// (raw) or accepted (taps). An error of `unavailable`, `timeout` or `no_space` leaves the outcome unknown
  /// (any of the entries may be there or not); the same entries may be sent again.
  using append_done = std::function<void(result<log_offset>)>;

  virtual ~event_log() = default;

  virtual log_generation generation() const = 0;
  virtual int slots() const = 0;

  /// Appends in order: the entries of one call keep theirs, and so do calls from one thread for one slot. Between
  /// the entries of one call stand none of this node's; another node's may, where several write to one log. So the
  /// first offset tells where the call begins, and nothing about where its other entries are. Never blocks longer
  /// than it takes to hand over.
  virtual void append(log_topic topic, slot_id slot, std::vector<log_entry> entries, append_done done) = 0;

  /// Up to `records_max` records and about `bytes_max` bytes (always at least one record where there is one) from
  /// `from` on, in order, without gaps; empty at the end. `not_found` when `from` was trimmed away. Cheap where the
  /// last read of the slot ended. A log over a network may wait for a moment, and answer `unavailable` after it.
  virtual result<std::vector<log_record>> read(log_topic topic, slot_id slot, log_offset from, std::size_t records_max,
                                               std::size_t bytes_max) = 0;

  /// The offset that the next append gets, and the lowest one still there, as this node knows them: never behind its
  /// own appends and reads, a little behind those of other nodes. Never blocks.
  virtual log_offset end(log_topic topic, slot_id slot) const = 0;
  virtual log_offset begin(log_topic topic, slot_id slot) const = 0;

  /// Allows records of raw below `below` to go. The caller keeps it at or under the slot's position and the oldest
  /// snapshot's offset.
  virtual result<void> trim(slot_id slot, log_offset below) = 0;

  /// `wake` is called, on a thread of the log, after records of raw were appended to the slot; it must not block. One
  /// call may stand for many appends, or for none. Without `wake` the slot is given up here.
  virtual void on_appended(slot_id slot, std::function<void()> wake) = 0;

  /// Why appends are refused just now (no room on the disk, no broker); for /readyz.
  virtual result<void> healthy() const = 0;
};

} // namespace pulse
