#include "postgres/query_rows.hpp"

#include <cstring>
#include <sstream>

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "postgres/pool.hpp"
#include "postgres/query_sql.hpp"

namespace pulse::postgres {

std::string event_columns_read() {
  return fmt::format(
      "e.event_id, e.message_id, e.type, e.name, {}, {}, {}, e.test, e.customer, e.anonymous_id, e.store, e.campaign, "
      "e.products, e.order_id, e.amount_minor, e.currency, e.country, e.region, e.city, e.device, e.browser, e.os, "
      "e.bot, e.referrer, e.risk_milli, e.risk_level, e.risk_outcome, e.anomaly, e.model, e.degraded, e.risk_parts, "
      "e.properties, e.context, e.provenance, e.notes, e.trace_id, e.node, e.raw_slot, e.raw_offset, "
      "e.features, "
      "(SELECT concat_ws(' ', l.fraud::int, {}, {}, l.reason) FROM label AS l WHERE l.tenant_id = e.tenant_id AND "
      "l.event_id = e.event_id)",
      millis("e.occurred_at"), millis("e.received_at"), millis("e.stored_at"), millis("l.decided_at"),
      millis("l.labelled_at"));
}

namespace {

/// `1 1700000000000 1700000000000 chargeback`, as event_columns_read has it.
std::optional<event_label> to_label(const std::string& text) {
  std::istringstream in(text);
  int fraud = 0;
  event_label out;
  if (!(in >> fraud >> out.decided_at.value >> out.labelled_at.value))
    return std::nullopt;
  out.fraud = fraud != 0;
  in.get();
  std::getline(in, out.reason, '\0');
  return out;
}

} // namespace

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
  e.label = to_label(in.text());
  return e;
}

std::string read_version(pqxx::work& tx, tenant_id tenant, const std::string& kind, const std::string& hash) {
  const auto rows = tx.exec("SELECT bytes FROM artifact WHERE tenant_id = $1 AND kind = $2 AND hash = $3",
                            pqxx::params{tenant.value, kind, hash});
  if (rows.empty())
    throw refused({ec::not_found, fmt::format("there is no {} {}", kind, hash), ""});
  const auto blob = rows[0][0].as<pqxx::bytes>();
  return std::string(reinterpret_cast<const char*>(blob.data()), blob.size());
}

std::int64_t keep_version(pqxx::work& tx, tenant_id tenant, const new_version& v) {
  const auto id = tenant.value;
  tx.exec(
      "INSERT INTO artifact (tenant_id, kind, hash, bytes, card) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
      pqxx::params{id, v.kind, v.hash, pqxx::binary_cast(v.bytes), v.card_json});
  return tx
      .exec("INSERT INTO artifact_version (tenant_id, kind, version, hash, created_by) SELECT $1, $2, "
            "coalesce(max(version), 0) + 1, $3, $4 FROM artifact_version WHERE tenant_id = $1 AND kind = $2 "
            "RETURNING version",
            pqxx::params{id, v.kind, v.hash, v.actor})[0][0]
      .as<std::int64_t>();
}

slot::control write_version(pqxx::work& tx, tenant_id tenant, const new_version& v) {
  const auto id = tenant.value;
  const auto version = keep_version(tx, tenant, v);
  const slot::control control{system_random().next_uuid(), v.kind, v.hash, version};
  tx.exec("INSERT INTO control_pending (tenant_id, control_id, body) VALUES ($1, $2, $3)",
          pqxx::params{id, control.id.str(), slot::encode_control(control)});
  tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'control', now() + interval '5 seconds') "
          "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = excluded.at",
          pqxx::params{id});
  return control;
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
