// Until when this node may store for a slot: written by the lease_keeper, asked by the slot's store_writer right before
// a transaction, from another thread. The epoch keeps data right whatever this says; the gate keeps two nodes from
// working on one slot.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "base/ids.hpp"

namespace pulse {

class lease_gate {
public:
  /// Times as of clock::monotonic_ms, which counts suspension. 0: no more.
  void set(slot_id slot, pulse::epoch under, std::int64_t until) {
    const std::lock_guard guard(mutex_);
    until_[slot] = {under, until};
  }

  bool may_store(slot_id slot, pulse::epoch under, std::int64_t now) const {
    const std::lock_guard guard(mutex_);
    const auto it = until_.find(slot);
    return it != until_.end() && it->second.first == under && now < it->second.second;
  }

private:
  mutable std::mutex mutex_;
  std::unordered_map<slot_id, std::pair<pulse::epoch, std::int64_t>> until_;
};

} // namespace pulse
