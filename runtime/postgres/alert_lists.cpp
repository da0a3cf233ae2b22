// Alerts and attempts as lists, and alerts sent again.
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "postgres/alert_admin.hpp"
#include "postgres/alert_work.hpp"

namespace pulse::postgres {

namespace {

/// Deliveries that one call may make.
constexpr std::int64_t replay_max = 100'000;

constexpr std::string_view alert_columns =
    "alert_id, type, to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), coalesce(incident_id::text, ''), data, "
    "(extract(epoch FROM created_at) * 1000000)::bigint, state, coalesce(held_reason, ''), coalesce((SELECT "
    "json_build_object('verdict', f.verdict, 'note', nullif(f.note, ''), 'at', to_char(f.judged_at, "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'by', f.judged_by)::text FROM alert_feedback f WHERE f.tenant_id = "
    "alert.tenant_id AND f.alert_id = alert.alert_id), '')";

alert_record to_alert(const pqxx::row& row) {
  return {to_uuid(row[0]),          row[1].as<std::string>(), row[2].as<std::string>(), row[3].as<std::string>(),
          row[4].as<std::string>(), row[6].as<std::string>(), row[7].as<std::string>(), row[8].as<std::string>()};
}

/// A key is the microseconds and what parts rows of the same moment: `1700000000000000/uuid[/attempt]`.
struct place {
  std::optional<std::int64_t> at;
  std::optional<std::string> id;
  int attempt = 0;
};

place to_place(const std::string& key) {
  place out;
  if (key.empty())
    return out;
  const auto first = key.find('/');
  std::int64_t at = 0;
  if (first == std::string::npos || std::from_chars(key.data(), key.data() + first, at).ec != std::errc{} ||
      !uuid::parse(key.substr(first + 1, 36)))
    throw refused({ec::invalid, "cursor: not one of ours", ""});
  out.at = at;
  out.id = key.substr(first + 1, 36);
  if (key.size() > first + 38)
    std::from_chars(key.data() + first + 38, key.data() + key.size(), out.attempt);
  return out;
}

std::optional<std::string> text_of(std::optional<time_ms> t) {
  return t ? std::optional(format_time(*t)) : std::nullopt;
}

std::string list_of(const std::vector<std::string>& types) {
  return fmt::format("{}", fmt::join(types, ","));
}

/// Which alerts go to which endpoints again. $1 tenant, $2 one alert, $3 from, $4 to, $5 types, $6 one endpoint,
/// $7 only what never reached it.
constexpr std::string_view wanted =
    "WITH wanted AS (SELECT a.alert_id, e.endpoint_id FROM alert a JOIN endpoint e ON e.tenant_id = $1 AND "
    "(e.state = 'enabled' OR $7::boolean) AND ($6::uuid IS NULL OR e.endpoint_id = $6::uuid) AND "
    "(cardinality(e.types) = 0 OR a.type = ANY (e.types)) WHERE a.tenant_id = $1 AND "
    "($3::timestamptz IS NULL OR a.created_at >= $3::timestamptz) AND "
    "($4::timestamptz IS NULL OR a.created_at < $4::timestamptz) AND "
    "CASE WHEN $2::uuid IS NOT NULL THEN a.alert_id = $2::uuid AND a.state <> 'new' ELSE a.state = 'told' AND "
    "CASE WHEN $5::text = '' THEN a.type <> 'endpoint.test' ELSE a.type = ANY (string_to_array($5::text, ',')) END END "
    "AND (NOT $7::boolean OR NOT EXISTS (SELECT FROM delivery d WHERE d.tenant_id = $1 AND d.alert_id = a.alert_id AND "
    "d.endpoint_id = e.endpoint_id AND d.state <> 'failed'))) ";

struct again {
  std::optional<uuid> alert;
  alert_filter filter;
  std::optional<uuid> endpoint;
  bool missed_only = false;
};

/// Counts first; then hurries what waits and makes the rest anew, which is what a replay is.
std::int64_t send_again(pqxx::work& tx, tenant_id tenant, const again& what, bool dry_run) {
  const auto id_of = [](const std::optional<uuid>& id) {
    return id ? std::optional(id->str()) : std::nullopt;
  };
  const pqxx::params given{tenant.value,
                           id_of(what.alert),
                           text_of(what.filter.from),
                           text_of(what.filter.to),
                           list_of(what.filter.types),
                           id_of(what.endpoint),
                           what.missed_only};
  const auto n = tx.exec(fmt::format("{}SELECT count(*) FROM wanted", wanted), given)[0][0].as<std::int64_t>();
  if (n > replay_max)
    throw refused({ec::invalid, fmt::format("{} deliveries are more than {}; narrow the range", n, replay_max), ""});
  if (dry_run || n == 0)
    return n;
  tx.exec(fmt::format(
              "{}, hurried AS (UPDATE delivery d SET next_at = date_trunc('milliseconds', now()) FROM wanted w WHERE "
              "d.tenant_id = $1 AND d.alert_id = w.alert_id AND d.endpoint_id = w.endpoint_id AND d.state = 'pending' "
              "AND (d.lease_until IS NULL OR d.lease_until <= now())) "
              "INSERT INTO delivery (tenant_id, delivery_id, alert_id, endpoint_id, next_at, replay) "
              "SELECT $1, gen_random_uuid(), w.alert_id, w.endpoint_id, date_trunc('milliseconds', now()), true "
              "FROM wanted w WHERE NOT EXISTS (SELECT FROM delivery d WHERE d.tenant_id = $1 AND d.alert_id = "
              "w.alert_id AND d.endpoint_id = w.endpoint_id AND d.state = 'pending')",
              wanted),
          given);
  make_due(tx, tenant);
  return n;
}

void need_enabled(pqxx::work& tx, tenant_id tenant, const uuid& id) {
  const auto found = tx.exec("SELECT state FROM endpoint WHERE tenant_id = $1 AND endpoint_id = $2",
                             pqxx::params{tenant.value, id.str()});
  if (found.empty())
    throw refused(no_endpoint(id));
  if (found[0][0].view() != "enabled")
    throw refused({ec::conflict, "the endpoint is disabled; recover it first", ""});
}

} // namespace

result<page<alert_record>> pg_alert_admin::alerts(tenant_id tenant, const alert_filter& filter, const page_request& p) {
  return reader_.run_for(tenant, "listing alerts", [&](pqxx::work& tx) {
    const auto after = to_place(p.after);
    const auto rows = tx.exec(
        fmt::format("SELECT {} FROM alert WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR created_at >= "
                    "$2::timestamptz) AND ($3::timestamptz IS NULL OR created_at < $3::timestamptz) AND "
                    "CASE WHEN $4::text = '' THEN type <> 'endpoint.test' ELSE type = ANY (string_to_array($4::text, "
                    "',')) END AND ($5::text = '' OR severity = $5::text) AND ($9::text = '' OR state = $9::text) AND "
                    "($6::bigint IS NULL OR (created_at, "
                    "alert_id) < ('epoch'::timestamptz + $6::bigint * interval '1 microsecond', $7::uuid)) "
                    "ORDER BY created_at DESC, alert_id DESC LIMIT $8",
                    alert_columns),
        pqxx::params{tenant.value, text_of(filter.from), text_of(filter.to), list_of(filter.types), filter.severity,
                     after.at, after.id, p.limit + 1, filter.state});
    page<alert_record> out;
    for (const auto& row : rows) {
      if (static_cast<std::int64_t>(out.rows.size()) == p.limit) {
        const auto last = rows[static_cast<pqxx::result::size_type>(p.limit - 1)];
        out.next = last[5].as<std::string>() + "/" + last[0].as<std::string>();
        break;
      }
      out.rows.push_back(to_alert(row));
    }
    return out;
  });
}

result<alert_record> pg_alert_admin::alert(tenant_id tenant, const uuid& id) {
  return reader_.run_for(tenant, "reading an alert", [&](pqxx::work& tx) {
    const auto rows = tx.exec(fmt::format("SELECT {} FROM alert WHERE tenant_id = $1 AND alert_id = $2", alert_columns),
                              pqxx::params{tenant.value, id.str()});
    if (rows.empty())
      throw refused({ec::not_found, fmt::format("there is no alert {}", id.str()), ""});
    return to_alert(rows[0]);
  });
}

result<page<attempt_record>> pg_alert_admin::attempts(tenant_id tenant, const uuid& endpoint,
                                                      const alert_filter& filter, const page_request& p) {
  return reader_.run_for(tenant, "listing attempts", [&](pqxx::work& tx) {
    if (tx.exec("SELECT FROM endpoint WHERE tenant_id = $1 AND endpoint_id = $2",
                pqxx::params{tenant.value, endpoint.str()})
            .empty())
      throw refused(no_endpoint(endpoint));
    const auto after = to_place(p.after);
    const auto rows = tx.exec(
        "SELECT t.delivery_id, t.alert_id, t.attempt, to_char(t.at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), t.status, "
        "t.outcome, t.seconds, coalesce(t.error, ''), coalesce(t.reply_head, ''), CASE WHEN d.state = 'pending' AND "
        "d.attempt = t.attempt THEN to_char(d.next_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') ELSE '' END, d.replay, "
        "(extract(epoch FROM t.at) * 1000000)::bigint FROM attempt t JOIN delivery d ON d.tenant_id = $1 AND "
        "d.delivery_id = t.delivery_id WHERE t.tenant_id = $1 AND t.endpoint_id = $2 AND ($3::timestamptz IS NULL OR "
        "t.at >= $3::timestamptz) AND ($4::timestamptz IS NULL OR t.at < $4::timestamptz) AND ($5::bigint IS NULL OR "
        "(t.at, t.delivery_id, t.attempt) < ('epoch'::timestamptz + $5::bigint * interval '1 microsecond', $6::uuid, "
        "$7::int)) ORDER BY t.at DESC, t.delivery_id DESC, t.attempt DESC LIMIT $8",
        pqxx::params{tenant.value, endpoint.str(), text_of(filter.from), text_of(filter.to), after.at, after.id,
                     after.attempt, p.limit + 1});
    page<attempt_record> out;
    for (const auto& row : rows) {
      if (static_cast<std::int64_t>(out.rows.size()) == p.limit) {
        const auto last = rows[static_cast<pqxx::result::size_type>(p.limit - 1)];
        out.next = fmt::format("{}/{}/{}", last[11].view(), last[0].view(), last[2].view());
        break;
      }
      out.rows.push_back({to_uuid(row[0]), to_uuid(row[1]), row[2].as<int>(), row[3].as<std::string>(),
                          row[4].is_null() ? std::nullopt : std::optional(row[4].as<int>()), row[5].as<std::string>(),
                          row[6].as<double>(), row[7].as<std::string>(), row[8].as<std::string>(),
                          row[9].as<std::string>(), row[10].as<bool>()});
    }
    return out;
  });
}

result<std::int64_t> pg_alert_admin::replay(tenant_id tenant, const alert_filter& filter, std::optional<uuid> endpoint,
                                            bool dry_run, const std::string& actor) {
  return writer_.run_for(tenant, "replaying alerts", [&](pqxx::work& tx) {
    if (endpoint)
      need_enabled(tx, tenant, *endpoint);
    if (!dry_run)
      note_audit(tx, tenant, actor, "replay alerts", endpoint.value_or(uuid{}));
    return send_again(tx, tenant, {std::nullopt, filter, endpoint, false}, dry_run);
  });
}

result<std::int64_t> pg_alert_admin::resend(tenant_id tenant, const uuid& alert, bool dry_run,
                                            const std::string& actor) {
  return writer_.run_for(tenant, "resending an alert", [&](pqxx::work& tx) {
    if (tx.exec("SELECT FROM alert WHERE tenant_id = $1 AND alert_id = $2", pqxx::params{tenant.value, alert.str()})
            .empty())
      throw refused({ec::not_found, fmt::format("there is no alert {}", alert.str()), ""});
    if (!dry_run)
      note_audit(tx, tenant, actor, "resend alert", alert);
    return send_again(tx, tenant, {alert, {}, std::nullopt, false}, dry_run);
  });
}

result<std::int64_t> pg_alert_admin::recover(tenant_id tenant, const uuid& endpoint, const alert_filter& filter,
                                             bool dry_run, const std::string& actor) {
  return writer_.run_for(tenant, "recovering an endpoint", [&](pqxx::work& tx) {
    const auto found = tx.exec("SELECT FROM endpoint WHERE tenant_id = $1 AND endpoint_id = $2 FOR UPDATE",
                               pqxx::params{tenant.value, endpoint.str()});
    if (found.empty())
      throw refused(no_endpoint(endpoint));
    if (!dry_run) {
      tx.exec("UPDATE endpoint SET state = 'enabled', disabled_reason = NULL WHERE tenant_id = $1 AND endpoint_id = $2",
              pqxx::params{tenant.value, endpoint.str()});
      note_audit(tx, tenant, actor, "recover endpoint", endpoint);
    }
    return send_again(tx, tenant, {std::nullopt, filter, endpoint, true}, dry_run);
  });
}

} // namespace pulse::postgres
