// One training of a tenant's model: reads the stored features, fits, stores the model as an immutable version with its
// card. The same history gives the same bytes. Detached; made by the node_agent for one request or when a training is
// due, quits after it.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

struct trainer_state {
  static inline constexpr const char* name = "pulse.trainer";

  trainer_state(trainer_actor::pointer self, context_ptr context);

  trainer_actor::behavior_type make_behavior();

  result<training_outcome> train(tenant_id tenant);
  result<training_outcome> fit(tenant_id tenant, control_store& store);

  trainer_actor::pointer self;
  context_ptr context;
};

using trainer = caf::stateful_actor<trainer_state, trainer_actor::base>;

} // namespace pulse
