#include "models/slot/taps.hpp"

#include "base/encoding.hpp"
#include "base/json_text.hpp"
#include "models/alert/candidate.hpp"
#include "models/event/event_json.hpp"

namespace pulse::slot {

namespace {

std::string failed_json(const processed& p) {
  json_object o;
  o.number("tenant", p.tenant.value).text_or_null("message_id", p.event.message_id);
  o.text("stage", p.failure.stage).text("code", p.failure.code).text("detail", p.failure.detail);
  // What was sent may be anything, not UTF-8 even.
  return std::move(o.text("pointer", p.failure.pointer).text("body_base64", to_base64(p.body))).done();
}

/// The trace goes on; the span is named after it, as the request's own ended with the answer.
std::string traceparent_of(const trace_id& trace) {
  return trace.value == uuid{} ? "" : fmt::format("00-{}-{}-01", trace.hex(), trace.hex().substr(16));
}

} // namespace

batch_taps taps_of(const batch& b, slot_id slot) {
  batch_taps out;
  for (const auto& p : b.results) {
    const auto& e = p.event;
    const auto record = [&](std::string value) {
      const auto& entity = e.customer.empty() ? e.anonymous_id : e.customer;
      return tap_record{p.tenant, fmt::format("{}/{}", p.tenant.value, entity), std::move(value),
                        traceparent_of(e.trace), fmt::format("{}/{}", slot.value, p.offset.value)};
    };
    if (p.outcome == outcome::failed)
      out.failed.push_back(record(failed_json(p)));
    if (p.outcome != outcome::stored || e.duplicate)
      continue;
    out.enriched.push_back(record(event_json(e, false)));
    out.scored.push_back(record(event_json(e, true)));
    if (const auto alert = alert::candidate_of(e))
      out.alerts.push_back(record(alert->data));
  }
  return out;
}

} // namespace pulse::slot
