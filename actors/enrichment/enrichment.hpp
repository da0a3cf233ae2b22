// The enrichment child: reads raw records into events and enriches them, then hands the part to scoring, which
// answers the slot. Child of the tenant_supervisor, beside the slot; stopped and made anew with the tenant's state.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

struct enrichment_state {
  static inline constexpr const char* name = "pulse.enrichment";

  enrichment_state(enrichment_actor::pointer self, context_ptr context, slot::enrichment_stage stage,
                   scoring_actor scoring);

  enrichment_actor::behavior_type make_behavior();

  caf::result<part_result_ptr> work(const part_ptr& part);

  enrichment_actor::pointer self;
  context_ptr context;
  slot::enrichment_stage stage;
  scoring_actor scoring;
};

using enrichment = caf::stateful_actor<enrichment_state, enrichment_actor::base>;

} // namespace pulse
