// A sixteenth of a tenant's scoring state: the entities and message ids whose hash falls here, within limits. A pure
// fold over the log: the same events in the same order give the same bytes.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>

#include "base/encoding.hpp"
#include "base/ids.hpp"
#include "models/features/linked.hpp"
#include "models/risk/recent_scores.hpp"

namespace pulse::scoring {

using features::key;

struct key_hash {
  std::size_t operator()(const key& k) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, k.data(), sizeof out);
    return out;
  }
};

/// Of one chunk. What is over the limit loses the eighth that was updated longest ago (by log offset). Changing a
/// limit changes scores from there on, so a running tenant's limits stay.
struct chunk_limits {
  std::size_t profiles = 4'096;
  std::size_t addresses = 2'048;
  std::size_t populations = 64;
  /// Remembered events over all profiles, and over all addresses.
  std::size_t window_entries = 65'536;
  std::size_t linked = 2'048;
  /// Remembered payments and hours over all linked entities.
  std::size_t linked_entries = 16'384;
  /// 16 chunks of this size hold the tenant's last 100,000 ids for certain (hashes spread them evenly).
  std::size_t message_ids = 8'192;
};

/// Entities of one kind.
template <class State>
class entity_map {
public:
  const State* find(const key& k) const;
  void update(const key& k, const features::facts& f, log_offset at, std::size_t size_max, std::size_t entries_max);
  /// Of states that have frauds.
  void add_frauds(const key& k, std::int64_t by, log_offset at, std::size_t size_max, std::size_t entries_max);
  void write(binary::writer& out) const;
  bool read(binary::reader& in);
  /// Every offset becomes lower by so much.
  void lower_offsets(std::int64_t by);

  std::size_t size() const {
    return entities_.size();
  }

private:
  struct kept {
    State state;
    log_offset updated;
  };

  template <class F>
  void change(const key& k, log_offset at, std::size_t size_max, std::size_t entries_max, F f);
  void evict(std::size_t size_max, std::size_t entries_max);

  std::unordered_map<key, kept, key_hash> entities_;
  /// Window entries over all entities.
  std::size_t entries_ = 0;
};

template <>
void entity_map<features::linked>::add_frauds(const key& k, std::int64_t by, log_offset at, std::size_t size_max,
                                              std::size_t entries_max);

/// Message ids received in the last 24 hours, each with the offset it was first seen at.
class recent_ids {
public:
  /// True when the id was seen at a lower offset and not more than 24 h (by time of receipt) before.
  bool seen_before(const key& id, log_offset at, time_ms received) const;
  void add(const key& id, log_offset at, time_ms received, std::size_t size_max);
  void write(binary::writer& out) const;
  bool read(binary::reader& in);
  void lower_offsets(std::int64_t by);

private:
  struct entry {
    key id;
    log_offset at;
    time_ms received;
  };

  void forget_first();

  /// In order of the log.
  std::deque<entry> order_;
  std::unordered_map<key, std::pair<log_offset, time_ms>, key_hash> known_;
};

/// Labels that were applied: a batch that was sent again changes nothing.
class applied_batches {
public:
  static constexpr std::size_t size_max = 1'024;

  bool contains(const uuid& id) const;
  void add(const uuid& id);
  void write(binary::writer& out) const;
  bool read(binary::reader& in);

private:
  /// The latest last.
  std::deque<uuid> ids_;
};

struct chunk {
  entity_map<features::profile> profiles;
  entity_map<features::address> addresses;
  entity_map<features::population> populations;
  entity_map<features::linked> linked;
  recent_ids ids;
  /// In the tenant's own chunk only.
  recent_scores scores;
  /// Likewise.
  applied_batches labels;
  bool dirty = false;

  void write(binary::writer& out) const;
  /// `version`: of the image. Those of version 2 know nothing of links.
  bool read(binary::reader& in, std::uint16_t version);
  /// Every offset becomes lower by so much; what is older than what stays so.
  void lower_offsets(std::int64_t by);
};

} // namespace pulse::scoring
