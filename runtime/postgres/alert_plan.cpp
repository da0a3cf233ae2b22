// Candidates become told or held; told ones get an incident and their deliveries. One transaction.
#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>

#include "models/alert/candidate.hpp"
#include "models/alert/flag_limit.hpp"
#include "postgres/alert_store.hpp"
#include "postgres/alert_work.hpp"

namespace pulse::postgres {

namespace {

constexpr std::string_view flagged = "event.flagged";
/// Candidates that one transaction decides.
constexpr std::int64_t plan_max = 500;
/// Serialises the planning of one tenant; the slot's transaction never waits for it.
constexpr auto advisory_class = 727502;

/// The holding time opens with the first that was held; all of it stands in the table.
alert::flag_limit restore_limit(pqxx::work& tx, tenant_id tenant, time_ms now) {
  std::vector<time_ms> told;
  for (const auto& row :
       tx.exec("SELECT (extract(epoch FROM decided_at) * 1000)::bigint FROM alert WHERE tenant_id = $1 AND "
               "state = 'told' AND type = 'event.flagged' AND event_id IS NOT NULL AND "
               "decided_at > $2::timestamptz - interval '1 hour' ORDER BY 1",
               pqxx::params{tenant.value, format_time(now)}))
    told.push_back({row[0].as<std::int64_t>()});
  const auto held = tx.exec("SELECT count(*), count(*) FILTER (WHERE severity = 'critical'), "
                            "coalesce(max((data->'risk'->>'score')::float8), 0), "
                            "coalesce((extract(epoch FROM min(decided_at)) * 1000)::bigint, 0) FROM alert "
                            "WHERE tenant_id = $1 AND state = 'held' AND summary_id IS NULL AND held_reason IS NULL",
                            pqxx::params{tenant.value})[0];
  std::optional<alert::flag_summary> holding;
  if (const auto n = held[0].as<std::int64_t>(); n > 0) {
    const time_ms from{held[3].as<std::int64_t>()};
    holding = alert::flag_summary{from, {from.value + hour_ms}, n, held[1].as<std::int64_t>(), held[2].as<double>()};
  }
  alert::flag_limit limit;
  limit.restore(told, holding);
  return limit;
}

/// The open incident of these alerts, opened when there is none; one that was quiet for a day is closed first.
uuid attach_incident(pqxx::work& tx, tenant_id tenant, const std::string& type, bool critical, std::int64_t alerts,
                     time_ms now) {
  const auto at = format_time(now);
  tx.exec("UPDATE incident SET state = 'resolved' WHERE tenant_id = $1 AND dedup_key = $2 AND state <> 'resolved' AND "
          "updated_at < $3::timestamptz - interval '24 hours'",
          pqxx::params{tenant.value, type, at});
  const auto row =
      tx.exec("INSERT INTO incident AS i (tenant_id, incident_id, dedup_key, title, severity, opened_at, updated_at, "
              "alerts) VALUES ($1, gen_random_uuid(), $2, $3, $4, $5, $5, $6) "
              "ON CONFLICT (tenant_id, dedup_key) WHERE state <> 'resolved' DO UPDATE SET updated_at = "
              "excluded.updated_at, alerts = i.alerts + excluded.alerts, severity = CASE WHEN excluded.severity = "
              "'critical' THEN 'critical' ELSE i.severity END RETURNING incident_id",
              pqxx::params{tenant.value, type, type == flagged ? "Events out of the ordinary" : type,
                           critical ? "critical" : "warning", at, alerts})[0];
  return to_uuid(row[0]);
}

void insert_summary(pqxx::work& tx, tenant_id tenant, const alert::flag_summary& s, time_ms now) {
  const auto from = format_time(s.from);
  const auto to = format_time(s.to);
  const auto id = alert::alert_id(tenant, "held/" + from, flagged);
  const std::string severity = s.critical > 0 ? "critical" : "warning";
  const auto title = fmt::format("{} more events were flagged within an hour", s.held);
  const auto text = fmt::format("{} flagged events from {} on were held back, {} of them critical, highest risk {:.0f}",
                                s.held, from, s.critical, s.highest_risk);
  nlohmann::ordered_json data = {{"alert_id", id.str()},
                                 {"tenant", std::to_string(tenant.value)},
                                 {"incident_id", nullptr},
                                 {"severity", severity},
                                 {"title", title},
                                 {"summary", text},
                                 {"occurred_at", from},
                                 {"held", s.held},
                                 {"critical", s.critical},
                                 {"from", from},
                                 {"to", to},
                                 {"risk", {{"score", s.highest_risk}}},
                                 {"reasons", nlohmann::ordered_json::array()}};
  tx.exec(
      "INSERT INTO alert (tenant_id, alert_id, created_at, type, severity, title, summary, data, state, decided_at) "
      "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'new', NULL)",
      pqxx::params{tenant.value, id.str(), format_time(now), flagged, severity, title, text, data.dump()});
  tx.exec("UPDATE alert SET summary_id = $2 WHERE tenant_id = $1 AND state = 'held' AND summary_id IS NULL AND "
          "held_reason IS NULL",
          pqxx::params{tenant.value, id.str()});
}

void decide(pqxx::work& tx, tenant_id tenant, const std::vector<uuid>& ids, const char* state, const uuid& incident,
            time_ms now) {
  if (!ids.empty())
    tx.exec("UPDATE alert SET state = $3, decided_at = $4, incident_id = $5 WHERE tenant_id = $1 AND "
            "alert_id = ANY ($2::uuid[])",
            pqxx::params{tenant.value, uuid_array(ids), state, format_time(now), incident.str()});
}

std::int64_t insert_deliveries(pqxx::work& tx, tenant_id tenant, const std::vector<uuid>& alerts, time_ms now) {
  if (alerts.empty())
    return 0;
  return tx
      .exec("INSERT INTO delivery (tenant_id, delivery_id, alert_id, endpoint_id, next_at) "
            "SELECT a.tenant_id, gen_random_uuid(), a.alert_id, e.endpoint_id, $3::timestamptz FROM alert a "
            "JOIN endpoint e ON e.tenant_id = a.tenant_id AND e.state = 'enabled' AND "
            "(cardinality(e.types) = 0 OR a.type = ANY (e.types)) "
            "WHERE a.tenant_id = $1 AND a.alert_id = ANY ($2::uuid[])",
            pqxx::params{tenant.value, uuid_array(alerts), format_time(now)})
      .affected_rows();
}

} // namespace

result<planned_alerts> pg_alert_store::plan(tenant_id tenant, time_ms now) {
  return writer_.run_for(tenant, "planning alerts", [&](pqxx::work& tx) {
    planned_alerts out;
    tx.exec("SELECT pg_advisory_xact_lock($1, $2)", pqxx::params{advisory_class, tenant.value});
    auto limit = restore_limit(tx, tenant, now);
    if (const auto due = limit.tick(now)) {
      insert_summary(tx, tenant, *due, now);
      ++out.summaries;
    }
    struct group {
      std::vector<uuid> told;
      std::vector<uuid> held;
      bool critical = false;
    };
    std::map<std::string, group> groups;
    const auto fresh = tx.exec("SELECT alert_id, type, severity, coalesce((data->'risk'->>'score')::float8, 0), "
                               "event_id IS NULL FROM alert WHERE tenant_id = $1 AND state = 'new' "
                               "ORDER BY created_at, alert_id LIMIT $2 FOR UPDATE SKIP LOCKED",
                               pqxx::params{tenant.value, plan_max});
    for (const auto& row : fresh) {
      const auto id = to_uuid(row[0]);
      auto& g = groups[row[1].as<std::string>()];
      const bool critical = row[2].view() == "critical";
      const bool limited = row[1].view() == flagged && !row[4].as<bool>();
      const bool tell = !limited || limit.admit(now, row[3].as<double>(), critical);
      (tell ? g.told : g.held).push_back(id);
      g.critical |= critical;
    }
    for (const auto& [type, g] : groups) {
      const auto n = static_cast<std::int64_t>(g.told.size() + g.held.size());
      const auto incident = attach_incident(tx, tenant, type, g.critical, n, now);
      decide(tx, tenant, g.told, "told", incident, now);
      decide(tx, tenant, g.held, "held", incident, now);
      out.told += static_cast<std::int64_t>(g.told.size());
      out.held += static_cast<std::int64_t>(g.held.size());
      out.deliveries += insert_deliveries(tx, tenant, g.told, now);
    }
    out.more = static_cast<std::int64_t>(fresh.size()) == plan_max;
    settle_due(tx, tenant);
    return out;
  });
}

} // namespace pulse::postgres
