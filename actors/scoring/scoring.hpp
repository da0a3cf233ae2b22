// The scoring child: moves the tenant's entity state and scores each event. Child of the tenant_supervisor, beside
// the slot; stopped and made anew with the tenant's state.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

struct scoring_state {
  static inline constexpr const char* name = "pulse.scoring";

  scoring_state(scoring_actor::pointer self, context_ptr context, slot::scoring_stage stage);

  scoring_actor::behavior_type make_behavior();

  caf::result<part_result_ptr> work(const enriched_ptr& part);

  scoring_actor::pointer self;
  context_ptr context;
  slot::scoring_stage stage;
};

using scoring = caf::stateful_actor<scoring_state, scoring_actor::base>;

} // namespace pulse
