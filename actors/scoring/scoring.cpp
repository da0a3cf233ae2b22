#include "actors/scoring/scoring.hpp"

#include <chrono>

namespace pulse {

scoring_state::scoring_state(scoring_actor::pointer p, context_ptr c, slot::scoring_stage s) :
  self(p), context(std::move(c)), stage(std::move(s)) {
}

caf::result<part_result_ptr> scoring_state::work(const enriched_ptr& part) {
  const stage_timer timer(context->metrics, "scoring");
  const auto started = std::chrono::steady_clock::now();
  // What is read again moves state and is not scored; what is not of the log is scored and not counted.
  const bool counted = !part->replay && !part->items.empty() && part->items.front().offset > slot::no_offset;
  const auto events = counted ? part->items.size() : 0;
  try {
    auto out = std::make_shared<slot::part_result>(stage.work(std::move(*part)));
    context->metrics.scored(std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count(), events);
    return out;
  } catch (const std::exception& e) {
    self->quit(caf::sec::runtime_error);
    return caf::make_error(caf::sec::runtime_error, std::string("scoring: ") + e.what());
  }
}

scoring_actor::behavior_type scoring_state::make_behavior() {
  return {
      [this](work_atom, const enriched_ptr& part) { return work(part); },
  };
}

} // namespace pulse
