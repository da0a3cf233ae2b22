// Scores that store nothing: asked of the slot that holds the tenant's state, here or on another node.
#include "actors/node_agent/node_agent.hpp"

namespace pulse {

namespace {

/// Longer than the slot waits for a tenant to wake (slot_scores.cpp).
constexpr auto score_timeout = std::chrono::seconds(10);
/// A slot on its way has an owner within a second.
constexpr auto score_retry = std::chrono::milliseconds(100);
constexpr int score_tries = 10;

score_report no_answer(const caf::error& e) {
  const bool late = e == caf::sec::request_timeout;
  auto out = not_scored(late ? ec::timeout : ec::unavailable,
                        "the node that holds the tenant's slot did not answer: " + caf::to_string(e));
  // The slot, or the link to it, is gone: another node has it in a moment.
  out.moving = !late;
  return out;
}

} // namespace

caf::result<score_report> node_agent_state::score(const score_order& order) {
  auto promise = self->make_response_promise<score_report>();
  if (order.handed_on) {
    ask_score(order, promise, 1);
    return promise;
  }
  const auto ask = [this, order, promise](const settings_ptr& settings) mutable {
    if (!*settings)
      return promise.deliver(not_scored(settings->err().code, settings->err().detail));
    if ((*settings)->deleted)
      return promise.deliver(not_scored(ec::not_found, "the tenant is deleted"));
    remember(order.tenant, settings);
    auto placed = order;
    placed.slot = (*settings)->slot;
    ask_score(placed, promise, score_tries);
  };
  if (const auto known = remembered(order.tenant)) {
    auto now = ask;
    now(known);
    return promise;
  }
  self->request(workers.front(), store_timeout, settings_atom_v, order.tenant)
      .then(ask, [promise](const caf::error& e) mutable {
        promise.deliver(not_scored(ec::unavailable, "the tenant's settings cannot be read: " + caf::to_string(e)));
      });
  return promise;
}

void node_agent_state::ask_score(const score_order& order, const caf::typed_response_promise<score_report>& promise,
                                 int tries) {
  const auto hand_on = [&](const auto& to) {
    self->request(to, score_timeout, score_atom_v, order)
        .then([=, this](const score_report& report) { answer_score(order, promise, tries, report); },
              [=, this](const caf::error& e) { answer_score(order, promise, tries, no_answer(e)); });
  };
  if (const auto* held = held_here(order.slot)) {
    hand_on(held->reader);
    return;
  }
  const auto owner = order.handed_on ? linked_peer() : owner_of(order.slot);
  if (owner.to && owner.wire >= scoring_wire) {
    hand_on(owner.to);
    return;
  }
  auto report = not_scored(ec::unavailable, owner.to ? "the node that holds the tenant's slot runs an older version, "
                                                       "which scores nothing for others"
                                                     : "no node that holds the tenant's slot is within reach");
  report.moving = !owner.to;
  answer_score(order, promise, tries, report);
}

/// A slot on its way is asked again in a moment, wherever it is by then.
void node_agent_state::answer_score(const score_order& order, caf::typed_response_promise<score_report> promise,
                                    int tries, const score_report& report) {
  if (report.moving && tries > 1)
    self->run_delayed(score_retry, [=, this] { ask_score(order, promise, tries - 1); });
  else
    promise.deliver(report);
}

} // namespace pulse
