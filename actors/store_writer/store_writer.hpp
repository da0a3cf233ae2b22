// One slot's transactions. Detached: every handler blocks on the database. Child of the slot_reader.
#pragma once

#include <optional>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

struct store_writer_state {
  static inline constexpr const char* name = "pulse.store_writer";

  /// Without a claim the slot is owned by the data directory's lock.
  store_writer_state(store_writer_actor::pointer self, context_ptr context, slot_id slot,
                     std::optional<slot_claim> claim = std::nullopt);

  store_writer_actor::behavior_type make_behavior();

  result<slot_start> take_over();
  result<commit_outcome> commit(const slot::batch& batch);
  /// Returns when the log has taken the batch's records for other readers.
  result<void> write_taps(const slot::batch& batch);
  result<tenant_load> load(tenant_id tenant);

  store_writer_actor::pointer self;
  context_ptr context;
  slot_id slot;
  std::optional<slot_claim> claim;
  std::unique_ptr<slot_store> store;
  epoch held;
  /// The batch whose taps are written: one that is stored again does not write them again.
  std::optional<std::uint64_t> tapped;
};

using store_writer = caf::stateful_actor<store_writer_state, store_writer_actor::base>;

} // namespace pulse
