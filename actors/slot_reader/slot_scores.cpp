// Scores that store nothing: the tenant is woken when it sleeps, its children are asked beside their batches. A tenant
// has one such request under way and a few that wait, so that whoever asks much is refused, and delays nobody.
#include "actors/slot_reader/slot_reader.hpp"
#include "models/event/event_json.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr std::size_t waiting_of_tenant_max = 16;
constexpr std::size_t waiting_bytes_max = 64U << 20;
/// Until a sleeping tenant is loaded and has read again what it had not imaged.
constexpr std::int64_t waiting_ms_max = 8000;
/// A tenant whose children died over so many such requests is refused for a while: each costs it a load.
constexpr int deaths_max = 3;
constexpr std::int64_t refused_ms = 60'000;

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

score_report refused() {
  return not_scored(ec::unavailable, "such events made the pipeline fail; none is scored for a minute");
}

std::size_t bytes_of(const score_order& order) {
  std::size_t out = 0;
  for (const auto& record : order.records)
    out += record.size();
  return out;
}

} // namespace

caf::result<score_report> slot_reader_state::score(const score_order& order) {
  auto promise = self->make_response_promise<score_report>();
  auto& asked = scores[order.tenant];
  const auto bytes = bytes_of(order);
  const auto at = context->time.monotonic_ms();
  if (at < asked.refused_until_ms) {
    promise.deliver(refused());
  } else if (asked.waiting.size() >= waiting_of_tenant_max || scores_bytes + bytes > waiting_bytes_max) {
    promise.deliver(not_scored(ec::unavailable, "too many requests for scores wait; ask again in a moment"));
  } else {
    scores_bytes += bytes;
    asked.waiting.push_back({promise, order.records, bytes, at + waiting_ms_max});
  }
  look_after_scores();
  return promise;
}

/// Asks where a tenant is live and nothing of it is under way; answers what waited too long.
void slot_reader_state::look_after_scores() {
  const auto at = context->time.monotonic_ms();
  std::vector<slot::action> actions;
  for (auto it = scores.begin(); it != scores.end();) {
    auto& [tenant, asked] = *it;
    while (!asked.waiting.empty() && at > asked.waiting.front().until_ms)
      take_score(asked).promise.deliver(not_scored(ec::timeout, "the tenant's children did not come to it in time"));
    if (!asked.waiting.empty() && machine && (!asked.under_way || machine->ends()))
      wake_or_ask(tenant, asked, actions);
    const bool over = asked.waiting.empty() && !asked.under_way;
    if (over && machine)
      machine->call_off(tenant);
    if (at >= asked.remembered_until_ms)
      asked.deaths = 0;
    it = over && at >= asked.remembered_until_ms ? scores.erase(it) : std::next(it);
  }
  carry_out(actions);
}

void slot_reader_state::wake_or_ask(tenant_id tenant, tenant_scores& asked, std::vector<slot::action>& actions) {
  if (const auto problem = machine->cannot_wake(tenant); !problem.empty()) {
    auto report = not_scored(ec::unavailable, problem);
    report.moving = machine->ends();
    while (!asked.waiting.empty())
      take_score(asked).promise.deliver(report);
    return;
  }
  machine->on_call(tenant, now(), actions);
  if (machine->is_live(tenant))
    ask_children(tenant, asked);
}

void slot_reader_state::ask_children(tenant_id tenant, tenant_scores& asked) {
  const auto awake = supervisors.find(tenant);
  if (awake == supervisors.end())
    return take_score(asked).promise.deliver(not_scored(ec::unavailable, "the tenant's children are gone"));
  auto next = take_score(asked);
  auto part = std::make_shared<slot::part>();
  part->tenant = tenant;
  for (auto& record : next.records)
    part->items.push_back({slot::no_offset, tenant, std::make_shared<const std::string>(std::move(record)), false});
  asked.under_way = true;
  machine->on_asking(tenant);
  self->request(awake->second.second, work_timeout, work_atom_v, std::move(part))
      .then(
          [this, tenant, promise = next.promise](const part_result_ptr& done) mutable {
            promise.deliver(report_of(*done));
            scored(tenant, done->model_bytes);
          },
          [this, tenant, promise = next.promise, incarnation = awake->second.first](const caf::error& e) mutable {
            auto report = not_scored(ec::unavailable, "the tenant's children gave no score; ask again in a moment");
            // They went to sleep, or to another node, before they came to it.
            report.moving = e != caf::sec::runtime_error && e != caf::sec::request_timeout;
            promise.deliver(report);
            not_scored_by(tenant, incarnation, e);
          });
}

void slot_reader_state::scored(tenant_id tenant, std::size_t model_bytes) {
  auto& asked = scores[tenant];
  asked.under_way = false;
  asked.deaths = 0;
  feed([&](auto& m, auto&) { m.on_asked(tenant, model_bytes); });
}

/// The children may have ended over it, and with them the state that the next batch needs.
void slot_reader_state::not_scored_by(tenant_id tenant, std::uint64_t incarnation, const caf::error& e) {
  log::warning("not_scored", "slot_reader", caf::to_string(e), {tenant, {}, ""});
  auto& asked = scores[tenant];
  asked.under_way = false;
  feed([&](auto& m, auto& out) {
    m.on_asked(tenant, std::nullopt);
    const bool lost = e != caf::sec::request_timeout && m.on_child_lost(tenant, incarnation, now(), out);
    // Else they ended over a part, and the slot knows.
    if (lost && e == caf::sec::runtime_error)
      died_over_score(asked);
  });
}

void slot_reader_state::died_over_score(tenant_scores& asked) {
  asked.remembered_until_ms = context->time.monotonic_ms() + refused_ms;
  if (++asked.deaths < deaths_max)
    return;
  asked.deaths = 0;
  asked.refused_until_ms = asked.remembered_until_ms;
  context->metrics.alarm("scores_refused");
  while (!asked.waiting.empty())
    take_score(asked).promise.deliver(refused());
}

/// The one that waits longest.
slot_reader_state::waiting_score slot_reader_state::take_score(tenant_scores& asked) {
  auto out = std::move(asked.waiting.front());
  asked.waiting.pop_front();
  scores_bytes -= out.bytes;
  return out;
}

} // namespace pulse
