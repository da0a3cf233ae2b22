// Endpoints: made, changed, tried, removed.
#include "postgres/alert_admin.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "models/alert/candidate.hpp"
#include "postgres/alert_work.hpp"

namespace pulse::postgres {

namespace {

/// Of one tenant: bounds what is in flight for it.
constexpr std::int64_t endpoints_max = 50;

constexpr std::string_view columns =
    "endpoint_id, kind, url, array_to_string(types, ','), description, state = 'disabled', "
    "coalesce(disabled_reason, ''), to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";

endpoint_record to_endpoint(const pqxx::row& row) {
  endpoint_record e;
  e.id = to_uuid(row[0]);
  e.kind = row[1].as<std::string>();
  e.url = row[2].as<std::string>();
  const auto types = row[3].as<std::string>();
  for (std::size_t at = 0; at < types.size();) {
    const auto end = std::min(types.find(',', at), types.size());
    e.types.push_back(types.substr(at, end - at));
    at = end + 1;
  }
  e.description = row[4].as<std::string>();
  e.disabled = row[5].as<bool>();
  e.disabled_reason = row[6].as<std::string>();
  e.created_at = row[7].as<std::string>();
  return e;
}

} // namespace

error no_endpoint(const uuid& id) {
  return {ec::not_found, fmt::format("there is no endpoint {}", id.str()), ""};
}

void note_audit(pqxx::work& tx, tenant_id tenant, const std::string& actor, const std::string& action,
                const uuid& subject) {
  tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, $2, $3, jsonb_build_object('id', "
          "$4::text))",
          pqxx::params{tenant.value, actor, action, subject.str()});
}

void make_due(pqxx::work& tx, tenant_id tenant) {
  tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'alert', now()) ON CONFLICT (tenant_id, kind) DO UPDATE "
          "SET at = least(due.at, excluded.at)",
          pqxx::params{tenant.value});
}

pg_alert_admin::pg_alert_admin(const std::string& url, const std::string& node) :
  reader_(url, role::reader, "pulse-endpoints " + node), writer_(url, role::writer, "pulse-endpoints " + node) {
}

result<std::vector<endpoint_record>> pg_alert_admin::endpoints(tenant_id tenant) {
  return reader_.run_for(tenant, "listing endpoints", [&](pqxx::work& tx) {
    std::vector<endpoint_record> out;
    for (const auto& row :
         tx.exec(fmt::format("SELECT {} FROM endpoint WHERE tenant_id = $1 ORDER BY created_at, endpoint_id", columns),
                 pqxx::params{tenant.value}))
      out.push_back(to_endpoint(row));
    return out;
  });
}

result<endpoint_record> pg_alert_admin::endpoint(tenant_id tenant, const uuid& id) {
  return reader_.run_for(tenant, "reading an endpoint", [&](pqxx::work& tx) {
    const auto rows = tx.exec(fmt::format("SELECT {} FROM endpoint WHERE tenant_id = $1 AND endpoint_id = $2", columns),
                              pqxx::params{tenant.value, id.str()});
    if (rows.empty())
      throw refused(no_endpoint(id));
    return to_endpoint(rows[0]);
  });
}

result<uuid> pg_alert_admin::create_endpoint(tenant_id tenant, const endpoint_record& e, const std::string& secret,
                                             const std::string& actor) {
  const auto id = system_random().next_uuid();
  return writer_.run_for(tenant, "creating an endpoint", [&](pqxx::work& tx) {
    const auto there = tx.exec("SELECT count(e.endpoint_id) FROM tenant t LEFT JOIN endpoint e ON e.tenant_id = "
                               "t.tenant_id WHERE t.tenant_id = $1 AND t.deleted_at IS NULL GROUP BY t.tenant_id",
                               pqxx::params{tenant.value});
    if (there.empty())
      throw refused({ec::not_found, fmt::format("there is no tenant {}", tenant.value), ""});
    if (there[0][0].as<std::int64_t>() >= endpoints_max)
      throw refused({ec::conflict, fmt::format("a tenant has at most {} endpoints; remove one", endpoints_max), ""});
    tx.exec("INSERT INTO endpoint (tenant_id, endpoint_id, kind, url, types, description, secret) VALUES "
            "($1, $2, $3, $4, string_to_array($5, ','), $6, $7)",
            pqxx::params{tenant.value, id.str(), e.kind, e.url, fmt::format("{}", fmt::join(e.types, ",")),
                         e.description, secret});
    note_audit(tx, tenant, actor, "create endpoint", id);
    return id;
  });
}

result<endpoint_record> pg_alert_admin::update_endpoint(tenant_id tenant, const uuid& id, const endpoint_change& change,
                                                        const std::string& actor) {
  return writer_.run_for(tenant, "changing an endpoint", [&](pqxx::work& tx) {
    const auto types =
        change.types ? std::optional(fmt::format("{}", fmt::join(*change.types, ","))) : std::optional<std::string>();
    const auto rows = tx.exec(
        fmt::format("UPDATE endpoint SET url = coalesce($3, url), types = coalesce(string_to_array($4, ','), types), "
                    "description = coalesce($5, description), state = CASE $6::boolean WHEN true THEN 'disabled' "
                    "WHEN false THEN 'enabled' ELSE state END, disabled_reason = CASE $6::boolean WHEN true THEN "
                    "'by its owner' WHEN false THEN NULL ELSE disabled_reason END "
                    "WHERE tenant_id = $1 AND endpoint_id = $2 RETURNING {}",
                    columns),
        pqxx::params{tenant.value, id.str(), change.url, types, change.description, change.disabled});
    if (rows.empty())
      throw refused(no_endpoint(id));
    if (change.disabled.value_or(false))
      tx.exec("UPDATE delivery SET state = 'failed', lease_until = NULL WHERE tenant_id = $1 AND endpoint_id = $2 AND "
              "state = 'pending'",
              pqxx::params{tenant.value, id.str()});
    note_audit(tx, tenant, actor, "change endpoint", id);
    return to_endpoint(rows[0]);
  });
}

result<void> pg_alert_admin::delete_endpoint(tenant_id tenant, const uuid& id, const std::string& actor) {
  return writer_.run_for(tenant, "deleting an endpoint", [&](pqxx::work& tx) {
    const auto done =
        tx.exec("DELETE FROM endpoint WHERE tenant_id = $1 AND endpoint_id = $2", pqxx::params{tenant.value, id.str()});
    if (done.affected_rows() == 0)
      throw refused(no_endpoint(id));
    note_audit(tx, tenant, actor, "delete endpoint", id);
  });
}

result<void> pg_alert_admin::rotate_secret(tenant_id tenant, const uuid& id, const std::string& secret,
                                           const std::string& actor) {
  return writer_.run_for(tenant, "rotating a secret", [&](pqxx::work& tx) {
    const auto done = tx.exec("UPDATE endpoint SET previous_secret = secret, previous_until = now() + interval "
                              "'24 hours', secret = $3 WHERE tenant_id = $1 AND endpoint_id = $2",
                              pqxx::params{tenant.value, id.str(), secret});
    if (done.affected_rows() == 0)
      throw refused(no_endpoint(id));
    note_audit(tx, tenant, actor, "rotate secret", id);
  });
}

result<uuid> pg_alert_admin::test_endpoint(tenant_id tenant, const uuid& id, const std::string& actor) {
  const std::string type = "endpoint.test";
  const auto alert = alert::alert_id(tenant, system_random().next_uuid().str(), type);
  const std::string title = "A test of this endpoint";
  const std::string summary = "Nothing happened: somebody asked for a test.";
  const nlohmann::ordered_json data = {{"alert_id", alert.str()},
                                       {"tenant", std::to_string(tenant.value)},
                                       {"severity", "info"},
                                       {"title", title},
                                       {"summary", summary}};
  return writer_.run_for(tenant, "testing an endpoint", [&](pqxx::work& tx) {
    const auto found = tx.exec("SELECT state FROM endpoint WHERE tenant_id = $1 AND endpoint_id = $2",
                               pqxx::params{tenant.value, id.str()});
    if (found.empty())
      throw refused(no_endpoint(id));
    if (found[0][0].view() != "enabled")
      throw refused({ec::conflict, "the endpoint is disabled; recover it first", ""});
    tx.exec("INSERT INTO alert (tenant_id, alert_id, created_at, type, severity, title, summary, data, state, "
            "decided_at) VALUES ($1, $2, date_trunc('milliseconds', now()), $3, 'info', $4, $5, $6, 'told', now())",
            pqxx::params{tenant.value, alert.str(), type, title, summary, data.dump()});
    tx.exec("INSERT INTO delivery (tenant_id, delivery_id, alert_id, endpoint_id, next_at) VALUES ($1, "
            "gen_random_uuid(), $2, $3, date_trunc('milliseconds', now()))",
            pqxx::params{tenant.value, alert.str(), id.str()});
    make_due(tx, tenant);
    note_audit(tx, tenant, actor, "test endpoint", id);
    return alert;
  });
}

result<std::string> pg_alert_admin::networks(tenant_id tenant) {
  return reader_.run_for(tenant, "reading a tenant's networks", [&](pqxx::work& tx) {
    const auto rows = tx.exec("SELECT webhook_allow FROM tenant WHERE tenant_id = $1", pqxx::params{tenant.value});
    return rows.empty() ? std::string() : rows[0][0].as<std::string>();
  });
}

result<void> pg_alert_admin::set_networks(tenant_id tenant, const std::string& cidrs, const std::string& actor) {
  return writer_.run_for(tenant, "setting a tenant's networks", [&](pqxx::work& tx) {
    const auto done = tx.exec("UPDATE tenant SET webhook_allow = $2 WHERE tenant_id = $1 AND deleted_at IS NULL",
                              pqxx::params{tenant.value, cidrs});
    if (done.affected_rows() == 0)
      throw refused({ec::not_found, fmt::format("there is no tenant {}", tenant.value), ""});
    tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, $2, 'set webhook networks', "
            "jsonb_build_object('cidrs', $3::text))",
            pqxx::params{tenant.value, actor, cidrs});
  });
}

} // namespace pulse::postgres
