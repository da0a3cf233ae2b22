// One training of a tenant's models: reads the stored features, fits, stores what it made as immutable versions with
// their cards. The same history gives the same bytes. Detached; made by the node_agent for one request or when a
// training is due, and gone afterwards.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "models/risk/file_formats.hpp"

namespace pulse {

struct trainer_state {
  static inline constexpr const char* name = "pulse.trainer";

  trainer_state(trainer_actor::pointer self, context_ptr context, scoring::file_formats formats);

  trainer_actor::behavior_type make_behavior();

  result<training_outcome> train(tenant_id tenant, training_kind kind);
  result<void> fit(tenant_id tenant, control_store& store, training_outcome& out);
  result<void> fit_fraud(tenant_id tenant, control_store& store, training_outcome& out);
  result<void> look_for_drift(tenant_id tenant, control_store& store, training_outcome& out);
  training_ptr answer(tenant_id tenant, const std::string& wanted);

  trainer_actor::pointer self;
  context_ptr context;
  scoring::file_formats formats;
};

using trainer = caf::stateful_actor<trainer_state, trainer_actor::base>;

} // namespace pulse
