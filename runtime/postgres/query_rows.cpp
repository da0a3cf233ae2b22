#include "postgres/query_rows.hpp"

#include <cstring>

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "postgres/query_sql.hpp"

namespace pulse::postgres {

std::string event_columns_read() {
  return fmt::format(
      "e.event_id, e.message_id, e.type, e.name, {}, {}, {}, e.test, e.customer, e.anonymous_id, e.store, e.campaign, "
      "e.products, e.order_id, e.amount_minor, e.currency, e.country, e.region, e.city, e.device, e.browser, e.os, "
      "e.bot, e.referrer, e.risk_milli, e.risk_level, e.risk_outcome, e.anomaly, e.model, e.degraded, e.risk_parts, "
      "e.properties, e.context, e.provenance, e.notes, e.trace_id, e.node, e.raw_slot, e.raw_offset, "
      "e.features",
      millis("e.occurred_at"), millis("e.received_at"), millis("e.stored_at"));
}

stored_event to_event(const pqxx::row& row) {
  row_reader in(row);
  stored_event e;
  e.id = event_id{in.id()};
  in.texts({&e.message_id, &e.type, &e.name});
  e.occurred_at = in.time();
  e.received_at = in.time();
  e.stored_at = in.time();
  e.test = in.value<bool>();
  in.texts({&e.customer, &e.anonymous_id, &e.store, &e.campaign, &e.products_json, &e.order_id});
  const auto minor = in.maybe<std::int64_t>();
  const auto unit = parse_currency(in.text());
  if (minor)
    e.amount = money{*minor, unit.value_or(currency{})};
  in.texts({&e.country, &e.region, &e.city, &e.device, &e.browser, &e.os});
  e.bot = in.value<bool>();
  e.referrer = in.text();
  e.risk_milli = in.value<std::int32_t>();
  in.texts({&e.risk_level, &e.risk_outcome});
  e.anomaly = in.maybe<double>();
  e.model = in.text();
  e.degraded = in.value<bool>();
  in.texts({&e.parts_json, &e.properties_json, &e.context_json, &e.provenance_json, &e.warnings_json});
  e.trace = trace_id{in.id()};
  e.node = in.text();
  e.slot = slot_id{in.value<std::int32_t>()};
  e.offset = log_offset{in.value<std::int64_t>()};
  if (const auto features = in.maybe<pqxx::bytes>()) {
    e.features.resize(features->size() / sizeof(float));
    std::memcpy(e.features.data(), features->data(), e.features.size() * sizeof(float));
  }
  return e;
}

std::string failed_columns_read() {
  return fmt::format("failed_id, {}, stage, code, detail, pointer, message_id, raw_slot, raw_offset, body, {}",
                     millis("received_at"), millis("replayed_at"));
}

failed_event to_failed(const pqxx::row& row) {
  row_reader in(row);
  failed_event f;
  f.id = in.id();
  f.received_at = in.time();
  in.texts({&f.stage, &f.code, &f.detail, &f.pointer, &f.message_id});
  f.slot = slot_id{in.value<std::int32_t>()};
  f.offset = log_offset{in.value<std::int64_t>()};
  const auto hex = in.text();
  f.body.resize(hex.size() / 2 - 1);
  from_hex(std::string_view(hex).substr(2), {reinterpret_cast<std::uint8_t*>(f.body.data()), f.body.size()});
  if (const auto at = in.maybe<std::int64_t>())
    f.replayed_at = time_ms{*at};
  return f;
}

} // namespace pulse::postgres
