#include "postgres/admin_store.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/encoding.hpp"

namespace pulse::postgres {

namespace {

constexpr std::string_view tenant_columns =
    "t.tenant_id, t.name, t.slot, t.rate, t.burst, coalesce(t.currency, ''), t.timezone, t.deleted_at IS NOT NULL, "
    "to_char(t.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), coalesce((SELECT sum(stored) FROM ledger l "
    "WHERE l.tenant_id = t.tenant_id), 0)::bigint";

listed_tenant to_tenant(const pqxx::row& row) {
  listed_tenant out;
  out.settings = {tenant_id{row[0].as<int>()}, row[1].as<std::string>(),  slot_id{row[2].as<int>()},
                  row[3].as<std::int64_t>(),   row[4].as<std::int64_t>(), row[5].as<std::string>(),
                  row[6].as<std::string>(),    row[7].as<bool>()};
  out.created_at = row[8].as<std::string>();
  out.events = row[9].as<std::int64_t>();
  return out;
}

void note_audit(pqxx::work& tx, tenant_id tenant, const std::string& actor, const std::string& action) {
  tx.exec("INSERT INTO audit (tenant_id, actor, action) VALUES ($1, $2, $3)",
          pqxx::params{tenant.value, actor, action});
}

} // namespace

pg_admin_store::pg_admin_store(const std::string& url, const std::string& node) :
  node_(url, role::node, "pulse-admin " + node), writer_(url, role::writer, "pulse-admin " + node) {
}

result<tenant_settings> pg_admin_store::create_tenant(const new_tenant& t, const std::string& actor) {
  auto made = node_.run("creating a tenant", [&](pqxx::work& tx) {
    zones_.require(tx, t.timezone);
    if (!tx.exec("SELECT FROM tenant WHERE name = $1", pqxx::params{t.name}).empty())
      throw refused({ec::conflict, fmt::format("a tenant '{}' exists already", t.name), "/name"});
    // The slot with the fewest events. A tenant of this week is taken for one of the usual size, the mean of those
    // that sent anything: what it will send is not known yet, and a hundred new ones must not all go where nobody has
    // sent anything.
    const auto slot =
        tx.exec("WITH sent AS (SELECT t.slot, t.created_at > now() - interval '7 days' AS fresh, (SELECT "
                "coalesce(sum(l.raw), 0) FROM ledger l WHERE l.tenant_id = t.tenant_id) AS raw FROM tenant t "
                "WHERE t.deleted_at IS NULL) "
                "SELECT s FROM generate_series(0, $1 - 1) s LEFT JOIN sent ON sent.slot = s GROUP BY s ORDER BY "
                "coalesce(sum(CASE WHEN fresh THEN greatest(raw, (SELECT coalesce(avg(raw) "
                "FILTER (WHERE raw > 0), 0) FROM sent)) ELSE raw END), 0), "
                "count(sent.slot), s LIMIT 1",
                pqxx::params{t.slots});
    const auto row = tx.exec("INSERT INTO tenant AS t (name, slot, currency, timezone, rate, burst) "
                             "VALUES ($1, $2, nullif($3, ''), $4, $5, $6) RETURNING tenant_id",
                             pqxx::params{t.name, slot[0][0].as<int>(), t.currency, t.timezone, t.rate, t.burst});
    return tenant_settings{tenant_id{row[0][0].as<int>()},
                           t.name,
                           slot_id{slot[0][0].as<int>()},
                           t.rate,
                           t.burst,
                           t.currency,
                           t.timezone,
                           false};
  });
  if (made)
    if (auto noted = writer_.run_for(made->tenant, "auditing",
                                     [&](pqxx::work& tx) { note_audit(tx, made->tenant, actor, "create tenant"); });
        !noted)
      return noted.err();
  return made;
}

result<std::vector<listed_tenant>> pg_admin_store::tenants(std::int64_t after, std::int64_t limit) {
  return node_.run("listing tenants", [&](pqxx::work& tx) {
    std::vector<listed_tenant> out;
    for (const auto& row :
         tx.exec(fmt::format("SELECT {} FROM tenant t WHERE t.tenant_id > $1 AND t.deleted_at IS NULL "
                             "ORDER BY t.tenant_id LIMIT $2",
                             tenant_columns),
                 pqxx::params{after, limit}))
      out.push_back(to_tenant(row));
    return out;
  });
}

result<listed_tenant> pg_admin_store::find_tenant(const std::string& id_or_name) {
  return node_.run("finding a tenant", [&](pqxx::work& tx) {
    const auto rows = tx.exec(fmt::format("SELECT {} FROM tenant t WHERE (t.tenant_id::text = $1 OR t.name = $1) AND "
                                          "t.deleted_at IS NULL ORDER BY t.tenant_id::text = $1 DESC",
                                          tenant_columns),
                              pqxx::params{id_or_name});
    if (rows.empty())
      throw refused({ec::not_found, fmt::format("there is no tenant '{}'", id_or_name), ""});
    return to_tenant(rows[0]);
  });
}

result<tenant_settings> pg_admin_store::set_limits(tenant_id tenant, std::optional<std::int64_t> rate,
                                                   std::optional<std::int64_t> burst, const std::string& actor) {
  auto done = writer_.run_for(tenant, "setting limits", [&](pqxx::work& tx) {
    const auto rows = tx.exec("UPDATE tenant SET rate = coalesce($2, rate), burst = coalesce($3, burst) "
                              "WHERE tenant_id = $1 AND deleted_at IS NULL",
                              pqxx::params{tenant.value, rate, burst});
    if (rows.affected_rows() == 0)
      throw refused({ec::not_found, fmt::format("there is no tenant {}", tenant.value), ""});
    note_audit(tx, tenant, actor, "set limits");
  });
  if (!done)
    return done.err();
  auto found = find_tenant(std::to_string(tenant.value));
  if (!found)
    return found.err();
  return found->settings;
}

result<void> pg_admin_store::delete_tenant(tenant_id tenant, const std::string& actor) {
  return writer_.run_for(tenant, "deleting a tenant", [&](pqxx::work& tx) {
    const auto rows = tx.exec("UPDATE tenant SET deleted_at = now(), name = name || ' (deleted ' || tenant_id || ')' "
                              "WHERE tenant_id = $1 AND deleted_at IS NULL",
                              pqxx::params{tenant.value});
    if (rows.affected_rows() == 0)
      throw refused({ec::not_found, fmt::format("there is no tenant {}", tenant.value), ""});
    note_audit(tx, tenant, actor, "delete tenant");
    // Nothing of it is to be done any more, but that its slot is told.
    tx.exec("DELETE FROM due WHERE tenant_id = $1", pqxx::params{tenant.value});
    tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'forget', now())", pqxx::params{tenant.value});
  });
}

result<std::int64_t> pg_admin_store::create_key(const new_key& k, const std::string& actor) {
  return writer_.run_for(k.tenant, "creating a key", [&](pqxx::work& tx) {
    if (tx.exec("SELECT FROM tenant WHERE tenant_id = $1 AND deleted_at IS NULL", pqxx::params{k.tenant.value}).empty())
      throw refused({ec::not_found, fmt::format("there is no tenant {}", k.tenant.value), ""});
    const auto expires = k.expires ? std::optional(format_time(*k.expires)) : std::nullopt;
    const auto row = tx.exec(
        "INSERT INTO api_key (tenant_id, public_id, hash, scopes, test, expires_at) VALUES ($1, $2, decode($3, 'hex'), "
        "string_to_array($4, ','), $5, $6) RETURNING key_id",
        pqxx::params{k.tenant.value, k.public_id, to_hex(k.sha256), fmt::format("{}", fmt::join(k.scopes, ",")), k.test,
                     expires});
    note_audit(tx, k.tenant, actor, "create key " + k.public_id);
    return row[0][0].as<std::int64_t>();
  });
}

result<std::vector<listed_key>> pg_admin_store::keys(tenant_id tenant) {
  return writer_.run_for(tenant, "listing keys", [&](pqxx::work& tx) {
    std::vector<listed_key> out;
    const auto time = [](const char* column) {
      return fmt::format("coalesce(to_char({}, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), '')", column);
    };
    for (const auto& row :
         tx.exec(fmt::format("SELECT key_id, public_id, array_to_string(scopes, ','), test, {}, {}, {} FROM api_key "
                             "WHERE tenant_id = $1 ORDER BY key_id",
                             time("created_at"), time("expires_at"), time("revoked_at")),
                 pqxx::params{tenant.value}))
      out.push_back({row[0].as<std::int64_t>(), row[1].as<std::string>(), row[2].as<std::string>(), row[3].as<bool>(),
                     row[4].as<std::string>(), row[5].as<std::string>(), row[6].as<std::string>()});
    return out;
  });
}

result<std::string> pg_admin_store::revoke_key(tenant_id tenant, std::int64_t key, std::optional<time_ms> at,
                                               const std::string& actor) {
  return writer_.run_for(tenant, "revoking a key", [&](pqxx::work& tx) {
    const auto when = at ? std::optional(format_time(*at)) : std::nullopt;
    const auto rows = tx.exec("UPDATE api_key SET revoked_at = least(revoked_at, coalesce($3::timestamptz, now())) "
                              "WHERE tenant_id = $1 AND key_id = $2 RETURNING public_id",
                              pqxx::params{tenant.value, key, when});
    if (rows.empty())
      throw refused({ec::not_found, fmt::format("tenant {} has no key {}", tenant.value, key), ""});
    const auto id = rows[0][0].as<std::string>();
    note_audit(tx, tenant, actor, "revoke key " + id);
    return id;
  });
}

} // namespace pulse::postgres
