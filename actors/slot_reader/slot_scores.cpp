// Scores that store nothing: the tenant is woken when it sleeps, its children are asked beside their batches.
#include "actors/slot_reader/slot_reader.hpp"
#include "models/event/event_json.hpp"

namespace pulse {

namespace {

constexpr std::size_t waiting_max = 1000;
/// Until a sleeping tenant is loaded and has read again what it had not imaged.
constexpr std::int64_t waking_ms_max = 8000;

score_report report_of(const slot::part_result& done) {
  score_report out;
  out.ok = true;
  for (const auto& p : done.results) {
    if (p.outcome == slot::outcome::stored)
      out.lines.push_back({scored_event_json(p.event), "", "", ""});
    else
      out.lines.push_back({"", p.failure.code, p.failure.detail, p.failure.pointer});
  }
  return out;
}

} // namespace

caf::result<score_report> slot_reader_state::score(const score_order& order) {
  auto promise = self->make_response_promise<score_report>();
  if (waiting.size() >= waiting_max) {
    promise.deliver(not_scored(ec::unavailable, "too many requests wait for a score in this slot"));
    return promise;
  }
  waiting.push_back({promise, order, context->time.monotonic_ms() + waking_ms_max});
  look_after_waiting();
  return promise;
}

void slot_reader_state::look_after_waiting() {
  if (waiting.empty())
    return;
  const auto at = context->time.monotonic_ms();
  std::vector<slot::action> actions;
  for (auto& w : std::exchange(waiting, {})) {
    const auto tenant = w.order.tenant;
    const auto problem = machine ? machine->cannot_wake(tenant) : std::string();
    if (machine && problem.empty())
      machine->on_call(tenant, now(), actions);
    if (!problem.empty())
      w.promise.deliver(not_scored(ec::unavailable, problem));
    else if (machine && machine->is_live(tenant))
      ask_children(w);
    else if (at > w.until_ms)
      w.promise.deliver(not_scored(ec::timeout, "the tenant's state was not loaded in time"));
    else
      waiting.push_back(std::move(w));
  }
  carry_out(actions);
}

void slot_reader_state::ask_children(const waiting_score& w) {
  const auto tenant = w.order.tenant;
  const auto awake = supervisors.find(tenant);
  if (awake == supervisors.end()) {
    auto promise = w.promise;
    return promise.deliver(not_scored(ec::unavailable, "the tenant's children are gone"));
  }
  auto part = std::make_shared<slot::part>();
  part->tenant = tenant;
  for (const auto& record : w.order.records)
    part->items.push_back({log_offset{-1}, tenant, std::make_shared<const std::string>(record)});
  self->request(awake->second.second, work_timeout, work_atom_v, std::move(part))
      .then([promise = w.promise](const part_result_ptr& done) mutable { promise.deliver(report_of(*done)); },
            [this, promise = w.promise, tenant, incarnation = awake->second.first](const caf::error& e) mutable {
              promise.deliver(not_scored(ec::unavailable, "the tenant's children gave no score: " + caf::to_string(e)));
              // They may have ended over it, and with them the state that the next batch needs.
              if (e != caf::sec::request_timeout)
                feed([&](auto& m, auto& out) { m.on_child_lost(tenant, incarnation, now(), out); });
            });
}

} // namespace pulse
