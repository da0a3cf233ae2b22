// Port: the reporting store as one slot sees it. All calls block and belong to one thread; one object a slot.
// Adapter: postgres/slot_sink. Fake: tests/support/slot_world.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "models/slot/machine.hpp"

namespace pulse {

/// Where a slot starts when it was taken over.
struct slot_start {
  log_offset position;
  pulse::epoch epoch;
  /// Tenants whose stored state is older than their last record.
  std::vector<slot::dirty_tenant> dirty;
  /// Tombstones in this slot.
  std::vector<tenant_id> deleted;
};

/// The lease under which a slot is held.
struct slot_claim {
  pulse::epoch epoch;
  /// The run of a node that the lease was taken from, unless it is known to have stopped; else empty.
  std::string taken_from;
};

struct commit_outcome {
  std::int64_t stored = 0;
  std::int64_t duplicates = 0;
  std::int64_t failed = 0;
  std::int64_t poison = 0;
  std::int64_t alerts = 0;
  /// Tenants with new alert candidates: their alerting is to be woken.
  std::vector<tenant_id> alerted;
  /// Tenants for which a control record took effect.
  std::vector<tenant_id> controlled;
};

/// What a tenant's children are made of.
struct tenant_start {
  tenant_id tenant;
  std::string name;
  std::string currency;
  std::string timezone;
  /// The state holds everything up to and including this offset; -1 for none.
  log_offset as_of{-1};
  std::vector<slot::chunk_image> images;
  /// Offsets above `as_of` that were stored as poison or quarantined: they never moved the state.
  std::vector<log_offset> set_aside;
};

class slot_store {
public:
  virtual ~slot_store() = default;

  /// Raises the epoch and reads where to go on. The caller must own the slot by the data directory's lock.
  virtual result<slot_start> take_over(slot_id slot) = 0;

  /// The same by lease: ends the backends of the run it was taken from, and moves the slot to the lease's epoch.
  /// `fenced`: somebody has a higher one.
  virtual result<slot_start> take_over(slot_id slot, const slot_claim& claim) = 0;

  /// Stores a whole batch in one transaction: events, rollups, failed events, alert candidates, ledger, images, and
  /// the position, fenced by the epoch. A batch that is stored already (its answer was lost) gives an empty outcome.
  /// Rows that SQL refuses are set aside as failed events. `fenced`: somebody else owns the slot. Retryable errors
  /// leave nothing behind.
  virtual result<commit_outcome> commit(const slot::batch& batch) = 0;

  /// Images, settings and what was set aside, in one snapshot. `not_found` for a tenant that does not exist.
  virtual result<tenant_start> load(tenant_id tenant) = 0;

  /// An immutable version named by a control record or by an image.
  virtual result<slot::artifact> fetch(tenant_id tenant, const std::string& kind, const std::string& hash) = 0;
};

} // namespace pulse
