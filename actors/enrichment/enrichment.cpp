#include "actors/enrichment/enrichment.hpp"

namespace pulse {

enrichment_state::enrichment_state(enrichment_actor::pointer p, context_ptr c, slot::enrichment_stage s,
                                   scoring_actor next) :
  self(p), context(std::move(c)), stage(std::move(s)), scoring(std::move(next)) {
}

caf::result<part_result_ptr> enrichment_state::work(const part_ptr& part) {
  const stage_timer timer(context->metrics, "enrichment");
  try {
    auto enriched = std::make_shared<slot::enriched_part>(stage.work(std::move(*part)));
    return self->delegate(scoring, work_atom_v, std::move(enriched));
  } catch (const std::exception& e) {
    // Half of the part may be in the state: it is loaded anew.
    self->quit(caf::sec::runtime_error);
    return caf::make_error(caf::sec::runtime_error, std::string("enrichment: ") + e.what());
  }
}

enrichment_actor::behavior_type enrichment_state::make_behavior() {
  return {
      [this](work_atom, const part_ptr& part) { return work(part); },
  };
}

} // namespace pulse
