#include "postgres/event_rows.hpp"

#include "base/encoding.hpp"
#include "models/event/event_json.hpp"

namespace pulse::postgres {

const std::string_view event_columns =
    "tenant_id,event_id,message_id,type,name,occurred_at,received_at,test,customer,anonymous_id,store,campaign,"
    "products,"
    "order_id,amount_minor,currency,country,region,city,device,browser,os,bot,referrer,risk_milli,risk_level,"
    "risk_outcome,anomaly,model,degraded,risk_parts,features,flagged,properties,context,provenance,notes,trace_id,node,"
    "raw_slot,raw_offset";

namespace {

constexpr int event_column_count = 41;
constexpr int rollup_column_count = 13;

void write_risk(copy_rows& out, const slot::processed& p) {
  const auto& risk = p.event.risk;
  out.value(rollup::risk_milli(risk.score));
  out.value(std::string_view(risk.level));
  out.value(std::string_view(risk.outcome));
  if (risk.anomaly)
    out.value(*risk.anomaly);
  else
    out.null();
  out.text_or_null(risk.model);
  out.value(risk.degraded);
  out.jsonb(parts_json(risk.parts));
  if (p.features.empty())
    out.null();
  else
    out.bytes({reinterpret_cast<const char*>(p.features.data()), p.features.size() * sizeof(float)});
  out.value(rollup::is_flagged(p.event));
}

} // namespace

std::string seen_hash(const event& e) {
  // A test says nothing of the live message of the same name.
  const auto h = e.test ? hash_parts({"test", e.message_id}) : hash_parts({e.message_id});
  return {reinterpret_cast<const char*>(h.data()), h.size()};
}

void write_event(copy_rows& out, const slot::processed& p, const row_origin& origin) {
  const auto& e = p.event;
  out.row(event_column_count + 1);
  out.value(e.tenant.value);
  out.value(e.id.value);
  out.text_or_null(e.message_id);
  out.value(std::string_view(e.type));
  out.value(std::string_view(e.name));
  out.value(e.occurred_at);
  out.value(e.received_at);
  out.value(e.test);
  for (const auto* text : {&e.customer, &e.anonymous_id, &e.store, &e.campaign})
    out.text_or_null(*text);
  if (e.products.empty())
    out.null();
  else
    out.jsonb(products_json(e.products));
  out.text_or_null(e.order_id);
  if (e.amount) {
    out.value(e.amount->minor);
    out.value(std::string_view(e.amount->unit.str()));
  } else {
    out.null();
    out.null();
  }
  for (const auto* text : {&e.country, &e.region, &e.city, &e.device, &e.browser, &e.os})
    out.text_or_null(*text);
  out.value(e.bot);
  out.text_or_null(e.referrer);
  write_risk(out, p);
  out.jsonb(e.properties);
  out.jsonb(e.context);
  out.jsonb(origins_json(e.origins));
  if (e.notes.empty())
    out.null();
  else
    out.jsonb(notes_json(e.notes));
  out.value(e.trace.value);
  out.value(origin.node);
  out.value(origin.slot.value);
  out.value(p.offset.value);
  if (!e.timed && !e.message_id.empty())
    out.bytes(seen_hash(e));
  else
    out.null();
}

void write_rollup(copy_rows& out, rollup::grain grain, const rollup::key& key, const rollup::measures& m) {
  out.row(rollup_column_count);
  out.value(grain == rollup::grain::minute);
  out.value(key.tenant.value);
  out.value(key.dim);
  out.value(key.bucket);
  out.value(std::string_view(key.value));
  out.value(std::string_view(key.currency));
  for (auto v : {m.events, m.orders, m.revenue_minor, m.refunds_minor, m.line_micro, m.anomalies, m.risk_milli})
    out.value(v);
}

const std::string_view create_stages =
    "CREATE TEMP TABLE IF NOT EXISTS event_stage (LIKE event) ON COMMIT DELETE ROWS;"
    "ALTER TABLE event_stage DROP COLUMN IF EXISTS stored_at, ADD COLUMN IF NOT EXISTS seen_hash bytea;"
    "CREATE TEMP TABLE IF NOT EXISTS rollup_stage (minute boolean, LIKE rollup_minute) ON COMMIT DELETE ROWS;";

} // namespace pulse::postgres
