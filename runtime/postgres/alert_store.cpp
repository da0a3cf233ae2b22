// Claims, records, and when alerting is due again.
#include "postgres/alert_store.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "postgres/alert_work.hpp"

namespace pulse::postgres {

namespace {

constexpr std::size_t error_bytes_max = 1000;

/// W3C traceparent of the event's trace; the span is this attempt.
std::string traceparent_of(const trace_id& trace, const uuid& delivery, int attempt) {
  if (trace.value.is_nil())
    return {};
  const auto span = hash_parts({delivery.str(), std::to_string(attempt)});
  return fmt::format("00-{}-{}-01", trace.hex(), to_hex({span.data(), 8}));
}

claimed_delivery to_claimed(const pqxx::row& row) {
  claimed_delivery c;
  c.delivery_id = to_uuid(row[0]);
  c.attempt = row[1].as<int>();
  c.endpoint_id = to_uuid(row[2]);
  c.alert.alert_id = to_uuid(row[3]);
  c.alert.type = row[4].as<std::string>();
  c.alert.created_at = time_ms{row[5].as<std::int64_t>()};
  c.alert.data = row[6].as<std::string>();
  c.alert.incident_id = row[7].as<std::string>();
  if (!row[8].is_null())
    c.trace = trace_id{to_uuid(row[8])};
  c.alert.replay = row[9].as<bool>();
  c.alert.traceparent = traceparent_of(c.trace, c.delivery_id, c.attempt);
  c.url = row[10].as<std::string>();
  c.secrets.push_back(row[11].as<std::string>());
  if (!row[12].is_null())
    c.secrets.push_back(row[12].as<std::string>());
  c.allow = row[13].as<std::string>();
  return c;
}

struct verdict {
  recorded what = recorded::retry;
  std::int64_t delay_ms = 0;
};

verdict judge(const attempt_result& r, const alert::retry_config& retry) {
  const auto said = alert::outcome_of(r.status);
  if (said == alert::outcome::delivered)
    return {recorded::delivered};
  if (said == alert::outcome::disable)
    return {recorded::disabled};
  const auto delay = r.hopeless ? std::nullopt : alert::next_delay_ms(retry, r.attempt, r.retry_after_s, r.chance);
  return delay ? verdict{recorded::retry, *delay} : verdict{recorded::failed};
}

void disable_endpoint(pqxx::work& tx, tenant_id tenant, const uuid& endpoint) {
  tx.exec("UPDATE endpoint SET state = 'disabled', disabled_reason = 'the receiver answered 410 Gone' "
          "WHERE tenant_id = $1 AND endpoint_id = $2",
          pqxx::params{tenant.value, endpoint.str()});
  tx.exec("UPDATE delivery SET state = 'failed', lease_until = NULL WHERE tenant_id = $1 AND endpoint_id = $2 AND "
          "state = 'pending'",
          pqxx::params{tenant.value, endpoint.str()});
  tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, 'alerting', 'disable endpoint', "
          "jsonb_build_object('endpoint', $2::text, 'reason', '410'))",
          pqxx::params{tenant.value, endpoint.str()});
}

/// Answers are text by chance only: what is no printable ASCII is shown as a dot, since the column takes UTF-8 alone.
std::string printable(std::string text, std::size_t max) {
  if (text.size() > max)
    text.resize(max);
  for (auto& c : text)
    if (static_cast<unsigned char>(c) >= 0x7f || (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'))
      c = '.';
  return text;
}

recorded record_one(pqxx::work& tx, tenant_id tenant, time_ms now, const attempt_result& r,
                    const alert::retry_config& retry) {
  auto v = judge(r, retry);
  const auto state = v.what == recorded::delivered ? "delivered" : v.what == recorded::retry ? "pending" : "failed";
  const auto moved = tx.exec(
      "UPDATE delivery SET state = $4, lease_until = NULL, next_at = $5 WHERE tenant_id = $1 AND "
      "delivery_id = $2 AND attempt = $3 AND state = 'pending' RETURNING endpoint_id",
      pqxx::params{tenant.value, r.delivery_id.str(), r.attempt, state, format_time(time_ms{now.value + v.delay_ms})});
  if (moved.empty())
    v.what = recorded::stale;
  const auto text = [](const std::string& s) {
    return s.empty() ? std::nullopt : std::optional(s);
  };
  tx.exec("INSERT INTO attempt (tenant_id, delivery_id, attempt, endpoint_id, alert_id, at, status, error, seconds, "
          "reply_head, outcome) SELECT tenant_id, delivery_id, $3::int, endpoint_id, alert_id, $4::timestamptz, "
          "nullif($5::int, 0), $6::text, $7::float8, $8::text, $9::text FROM delivery WHERE tenant_id = $1 AND "
          "delivery_id = $2 "
          "ON CONFLICT DO NOTHING",
          pqxx::params{tenant.value, r.delivery_id.str(), r.attempt, format_time(now), r.status,
                       text(printable(r.error, error_bytes_max)), r.seconds,
                       text(printable(r.reply_head, error_bytes_max)), std::string(to_string(v.what))});
  if (v.what == recorded::disabled)
    disable_endpoint(tx, tenant, to_uuid(moved[0][0]));
  return v.what;
}

} // namespace

uuid to_uuid(const pqxx::field& f) {
  const auto parsed = uuid::parse(f.view());
  if (!parsed)
    throw refused({ec::corrupt, "an id in the database is no UUID", ""});
  return *parsed;
}

std::string uuid_array(const std::vector<uuid>& ids) {
  std::string out = "{";
  for (const auto& id : ids)
    out += (out.size() > 1 ? "," : "") + id.str();
  return out + "}";
}

void settle_due(pqxx::work& tx, tenant_id tenant) {
  const auto id = tenant.value;
  const bool there =
      !tx.exec("SELECT FROM due WHERE tenant_id = $1 AND kind = 'alert' FOR UPDATE", pqxx::params{id}).empty();
  const auto next =
      tx.exec("SELECT min(at)::text FROM (SELECT now() AS at WHERE EXISTS (SELECT FROM alert WHERE tenant_id = $1 AND "
              "state = 'new') UNION ALL "
              "SELECT min(decided_at) + interval '1 hour' FROM alert WHERE tenant_id = $1 AND state = 'held' AND "
              "summary_id IS NULL AND held_reason IS NULL UNION ALL "
              "SELECT min(next_at) FROM delivery WHERE tenant_id = $1 AND state = 'pending') AS u",
              pqxx::params{id})[0];
  if (next[0].is_null()) {
    if (there)
      tx.exec("DELETE FROM due WHERE tenant_id = $1 AND kind = 'alert'", pqxx::params{id});
    return;
  }
  const auto at = next[0].as<std::string>();
  if (there)
    tx.exec("UPDATE due SET at = $2 WHERE tenant_id = $1 AND kind = 'alert'", pqxx::params{id, at});
  else
    tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'alert', $2) "
            "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = least(due.at, excluded.at)",
            pqxx::params{id, at});
}

pg_alert_store::pg_alert_store(const std::string& url, const std::string& node, alert::retry_config retry) :
  writer_(url, role::writer, "pulse-alerts " + node), retry_(std::move(retry)) {
}

result<std::vector<claimed_delivery>> pg_alert_store::claim(tenant_id tenant, time_ms now, const claim_limits& limits) {
  return writer_.run_for(tenant, "claiming deliveries", [&](pqxx::work& tx) {
    std::vector<claimed_delivery> out;
    const auto at = format_time(now);
    const auto lease = format_time(time_ms{now.value + limits.lease_ms});
    for (const auto& row :
         tx.exec("WITH picked AS (SELECT p.delivery_id FROM endpoint e CROSS JOIN LATERAL (SELECT delivery_id FROM "
                 "delivery WHERE tenant_id = $1 AND endpoint_id = e.endpoint_id AND state = 'pending' AND "
                 "next_at <= $2 ORDER BY next_at LIMIT $4 FOR UPDATE SKIP LOCKED) AS p WHERE e.tenant_id = $1 AND "
                 "e.state = 'enabled' AND e.endpoint_id <> ALL ($6::uuid[]) LIMIT $5) "
                 "UPDATE delivery d SET attempt = d.attempt + 1, lease_until = $3, next_at = $3 "
                 "FROM picked, alert a, endpoint e, tenant t WHERE d.tenant_id = $1 AND d.delivery_id = "
                 "picked.delivery_id AND a.tenant_id = $1 AND a.alert_id = d.alert_id AND e.tenant_id = $1 AND "
                 "e.endpoint_id = d.endpoint_id AND t.tenant_id = $1 "
                 "RETURNING d.delivery_id, d.attempt, e.endpoint_id, a.alert_id, a.type, "
                 "(extract(epoch FROM a.created_at) * 1000)::bigint, a.data, coalesce(a.incident_id::text, ''), "
                 "a.trace_id, d.replay, e.url, e.secret, CASE WHEN e.previous_until > $2 THEN e.previous_secret END, "
                 "t.webhook_allow",
                 pqxx::params{tenant.value, at, lease, limits.per_endpoint, limits.max, uuid_array(limits.busy)}))
      out.push_back(to_claimed(row));
    settle_due(tx, tenant);
    return out;
  });
}

result<std::vector<recorded>> pg_alert_store::record(tenant_id tenant, time_ms now,
                                                     const std::vector<attempt_result>& results) {
  return writer_.run_for(tenant, "recording attempts", [&](pqxx::work& tx) {
    std::vector<recorded> out;
    for (const auto& r : results)
      out.push_back(record_one(tx, tenant, now, r, retry_));
    settle_due(tx, tenant);
    return out;
  });
}

} // namespace pulse::postgres
