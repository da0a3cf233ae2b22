#include "postgres/control_store.hpp"

#include <cstring>
#include <fmt/format.h>

#include "base/time.hpp"

namespace pulse::postgres {

pg_control_store::pg_control_store(const std::string& url, const std::string& node) :
  node_(url, role::node, "pulse-control " + node), writer_(url, role::writer, "pulse-control " + node) {
}

result<tenant_settings> pg_control_store::settings(tenant_id tenant) {
  return node_.run("reading a tenant's settings", [&](pqxx::work& tx) {
    const auto rows =
        tx.exec("SELECT name, slot, rate, burst, coalesce(currency, ''), timezone, deleted_at IS NOT NULL "
                "FROM tenant WHERE tenant_id = $1",
                pqxx::params{tenant.value});
    if (rows.empty())
      throw refused({ec::not_found, fmt::format("there is no tenant {}", tenant.value), ""});
    const auto row = rows[0];
    return tenant_settings{tenant,
                           row[0].as<std::string>(),
                           slot_id{row[1].as<int>()},
                           row[2].as<std::int64_t>(),
                           row[3].as<std::int64_t>(),
                           row[4].as<std::string>(),
                           row[5].as<std::string>(),
                           row[6].as<bool>()};
  });
}

result<std::vector<due_work>> pg_control_store::due(const std::vector<slot_id>& slots, std::int64_t max) {
  std::string wanted = "{";
  for (auto slot : slots)
    wanted += fmt::format("{}{}", wanted.size() > 1 ? "," : "", slot.value);
  wanted += "}";
  return node_.run("looking for due work", [&](pqxx::work& tx) {
    std::vector<due_work> out;
    for (const auto& row :
         tx.exec("SELECT d.tenant_id, d.kind FROM due d JOIN tenant t USING (tenant_id) WHERE d.at <= now() "
                 "AND t.slot = ANY ($2::int[]) ORDER BY d.at LIMIT $1",
                 pqxx::params{max, wanted}))
      out.push_back({tenant_id{row[0].as<int>()}, row[1].as<std::string>()});
    return out;
  });
}

result<slot::control> pg_control_store::publish(tenant_id tenant, const std::string& kind, const std::string& hash,
                                                const std::string& bytes, const std::string& card_json,
                                                const std::string& actor) {
  slot::control control{system_random().next_uuid(), kind, hash, 0};
  auto done = writer_.run_for(tenant, "publishing a version", [&](pqxx::work& tx) {
    const auto id = tenant.value;
    tx.exec(
        "INSERT INTO artifact (tenant_id, kind, hash, bytes, card) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        pqxx::params{id, kind, hash, pqxx::binary_cast(bytes), card_json});
    const auto numbered =
        tx.exec("INSERT INTO artifact_version (tenant_id, kind, version, hash, created_by) SELECT $1, $2, "
                "coalesce(max(version), 0) + 1, $3, $4 FROM artifact_version WHERE tenant_id = $1 AND kind = $2 "
                "RETURNING version",
                pqxx::params{id, kind, hash, actor});
    control.version = numbered[0][0].as<std::int64_t>();
    // What has not taken effect yet is superseded: sent again, it would land behind this one.
    tx.exec("DELETE FROM control_pending WHERE tenant_id = $1 AND body::jsonb ->> 'kind' = $2", pqxx::params{id, kind});
    tx.exec("INSERT INTO control_pending (tenant_id, control_id, body) VALUES ($1, $2, $3)",
            pqxx::params{id, control.id.str(), slot::encode_control(control)});
    tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'control', now() + interval '5 seconds') "
            "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = excluded.at",
            pqxx::params{id});
    tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, $2, $3, jsonb_build_object('hash', "
            "$4::text))",
            pqxx::params{id, actor, "publish " + kind, hash});
  });
  if (!done)
    return done.err();
  return control;
}

result<std::vector<slot::control>> pg_control_store::pending_controls(tenant_id tenant) {
  return writer_.run_for(tenant, "reading pending control records", [&](pqxx::work& tx) {
    std::vector<slot::control> out;
    for (const auto& row :
         tx.exec("SELECT body FROM control_pending WHERE tenant_id = $1 ORDER BY created_at LIMIT 100",
                 pqxx::params{tenant.value}))
      if (auto control = slot::decode_control(row[0].as<std::string>()))
        out.push_back(*control);
    return out;
  });
}

result<void> pg_control_store::schedule_training(tenant_id tenant, std::int64_t in_seconds) {
  return writer_.run_for(tenant, "scheduling a training", [&](pqxx::work& tx) {
    tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'train', now() + make_interval(secs => $2)) "
            "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = excluded.at",
            pqxx::params{tenant.value, in_seconds});
  });
}

result<void> pg_control_store::forgotten(tenant_id tenant) {
  return writer_.run_for(tenant, "noting that a tenant was forgotten", [&](pqxx::work& tx) {
    tx.exec("DELETE FROM due WHERE tenant_id = $1 AND kind = 'forget'", pqxx::params{tenant.value});
  });
}

result<feature_history> pg_control_store::history(tenant_id tenant, std::size_t columns, std::int64_t rows_max) {
  return writer_.run_for(tenant, "reading the history of features", [&](pqxx::work& tx) {
    feature_history out;
    out.columns = columns;
    const auto bytes = static_cast<std::int64_t>(columns * sizeof(float));
    // In the order of ids, which is that of time: the same history gives the same model.
    for (const auto& row :
         tx.exec("SELECT features, occurred_at FROM (SELECT event_id, features, occurred_at FROM event "
                 "WHERE tenant_id = $1 AND NOT test AND octet_length(features) = $2 "
                 "ORDER BY event_id DESC LIMIT $3) latest ORDER BY event_id",
                 pqxx::params{tenant.value, bytes, rows_max})) {
      const auto blob = row[0].as<pqxx::bytes>();
      const auto at = out.values.size();
      out.values.resize(at + columns);
      std::memcpy(out.values.data() + at, blob.data(), columns * sizeof(float));
      out.to = row[1].as<std::string>();
      if (out.from.empty())
        out.from = out.to;
    }
    if (out.rows() > 0)
      out.reach_ms = tx.query_value<std::int64_t>(
          "SELECT greatest(1, 1000 * extract(epoch FROM $2::timestamptz - occurred_at))::bigint FROM event "
          "WHERE tenant_id = $1 AND NOT test ORDER BY event_id LIMIT 1",
          pqxx::params{tenant.value, out.to});
    return out;
  });
}

result<std::vector<listed_model>> pg_control_store::versions(tenant_id tenant, const std::string& kind) {
  return writer_.run_for(tenant, "listing versions", [&](pqxx::work& tx) {
    std::vector<listed_model> out;
    for (const auto& row :
         tx.exec("SELECT v.hash, v.version, a.card, to_char(v.created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), "
                 "coalesce(to_char(v.live_from, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), ''), "
                 "v.version = (SELECT max(l.version) FROM artifact_version l WHERE l.tenant_id = $1 AND l.kind = $2 "
                 "AND l.live_from IS NOT NULL) FROM artifact_version v JOIN artifact a USING (tenant_id, kind, hash) "
                 "WHERE v.tenant_id = $1 AND v.kind = $2 ORDER BY v.version DESC LIMIT 1000",
                 pqxx::params{tenant.value, kind}))
      out.push_back({row[0].as<std::string>(), row[1].as<std::int64_t>(), row[2].as<std::string>(),
                     row[3].as<std::string>(), row[4].as<std::string>(), row[5].as<bool>(false)});
    return out;
  });
}

result<std::string> pg_control_store::version_bytes(tenant_id tenant, const std::string& kind,
                                                    const std::string& hash) {
  return writer_.run_for(tenant, "reading a version", [&](pqxx::work& tx) {
    const auto rows = tx.exec("SELECT bytes FROM artifact WHERE tenant_id = $1 AND kind = $2 AND hash = $3",
                              pqxx::params{tenant.value, kind, hash});
    if (rows.empty())
      throw refused({ec::not_found, fmt::format("there is no {} {}", kind, hash), ""});
    const auto blob = rows[0][0].as<pqxx::bytes>();
    return std::string(reinterpret_cast<const char*>(blob.data()), blob.size());
  });
}

result<void> pg_control_store::reschedule_controls(tenant_id tenant) {
  return writer_.run_for(tenant, "rescheduling control records", [&](pqxx::work& tx) {
    tx.exec("DELETE FROM due WHERE tenant_id = $1 AND kind = 'control' AND NOT EXISTS "
            "(SELECT FROM control_pending WHERE tenant_id = $1)",
            pqxx::params{tenant.value});
    tx.exec("UPDATE due SET at = now() + interval '5 seconds' WHERE tenant_id = $1 AND kind = 'control'",
            pqxx::params{tenant.value});
  });
}

} // namespace pulse::postgres
