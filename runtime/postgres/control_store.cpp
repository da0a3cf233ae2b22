#include "postgres/control_store.hpp"

#include <cstring>
#include <fmt/format.h>
#include <limits>

#include "base/time.hpp"
#include "models/features/features.hpp"
#include "postgres/query_rows.hpp"

namespace pulse::postgres {

namespace {

/// What is missing at a row's end is not stored.
void append_row(const pqxx::bytes& blob, std::size_t columns, std::vector<float>& out) {
  const auto at = out.size();
  out.resize(at + columns, std::numeric_limits<float>::quiet_NaN());
  std::memcpy(out.data() + at, blob.data(), std::min(blob.size(), columns * sizeof(float)));
}

} // namespace

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
  return writer_.run_for(tenant, "publishing a version", [&](pqxx::work& tx) {
    // What has not taken effect yet is superseded: sent again, it would land behind this one.
    tx.exec("DELETE FROM control_pending WHERE tenant_id = $1 AND body::jsonb ->> 'kind' = $2",
            pqxx::params{tenant.value, kind});
    tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, $2, $3, jsonb_build_object('hash', "
            "$4::text))",
            pqxx::params{tenant.value, actor, "publish " + kind, hash});
    return write_version(tx, tenant, {kind, hash, bytes, card_json, actor});
  });
}

result<void> pg_control_store::keep(tenant_id tenant, const std::string& kind, const std::string& hash,
                                    const std::string& bytes, const std::string& card_json, const std::string& actor) {
  return writer_.run_for(tenant, "keeping a version", [&](pqxx::work& tx) {
    keep_version(tx, tenant, {kind, hash, bytes, card_json, actor});
  });
}

result<void> pg_control_store::note_on_card(tenant_id tenant, const std::string& kind, const std::string& hash,
                                            const std::string& name, const std::string& json) {
  return writer_.run_for(tenant, "noting on a version's card", [&](pqxx::work& tx) {
    tx.exec(
        "UPDATE artifact SET card = card || jsonb_build_object($4::text, $5::jsonb) WHERE tenant_id = $1 AND kind = "
        "$2 AND hash = $3",
        pqxx::params{tenant.value, kind, hash, name, json});
  });
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

result<void> pg_control_store::schedule_training(tenant_id tenant, training_kind kind, std::int64_t in_seconds) {
  return writer_.run_for(tenant, "scheduling a training", [&](pqxx::work& tx) {
    tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, $2, now() + make_interval(secs => $3)) "
            "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = excluded.at",
            pqxx::params{tenant.value, to_string(kind), in_seconds});
  });
}

result<void> pg_control_store::end_training(tenant_id tenant, training_kind kind) {
  return writer_.run_for(tenant, "ending a training", [&](pqxx::work& tx) {
    tx.exec("DELETE FROM due WHERE tenant_id = $1 AND kind = $2", pqxx::params{tenant.value, to_string(kind)});
  });
}

result<fraud::labelled_history> pg_control_store::labelled(tenant_id tenant, std::size_t columns, std::int64_t rows_max,
                                                           std::int64_t delay_ms) {
  return writer_.run_for(tenant, "reading labelled events", [&](pqxx::work& tx) {
    fraud::labelled_history out;
    out.columns = columns;
    const auto least = static_cast<std::int64_t>(features::base_count * sizeof(float));
    for (const auto& row : tx.exec(
             "WITH names AS (SELECT DISTINCT e.name FROM label AS l JOIN event AS e ON e.tenant_id = $1 AND e.event_id "
             "= l.event_id WHERE l.tenant_id = $1) "
             "SELECT features, fraud, at FROM (SELECT e.event_id, e.features, coalesce(l.fraud, false) AS fraud, "
             "(extract(epoch FROM e.occurred_at) * 1000)::bigint AS at FROM event AS e LEFT JOIN label AS l ON "
             "l.tenant_id = $1 AND l.event_id = e.event_id WHERE e.tenant_id = $1 AND NOT e.test AND "
             "octet_length(e.features) >= $4 AND e.name IN (SELECT name FROM names) AND "
             "e.occurred_at < now() - make_interval(secs => $3 / 1000.0) ORDER BY e.event_id DESC LIMIT $2) AS latest "
             "ORDER BY event_id",
             pqxx::params{tenant.value, rows_max, delay_ms, least})) {
      append_row(row[0].as<pqxx::bytes>(), columns, out.values);
      out.fraud.push_back(row[1].as<bool>() ? 1 : 0);
      out.at.push_back(time_ms{row[2].as<std::int64_t>()});
    }
    return out;
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
    const auto least = static_cast<std::int64_t>(features::base_count * sizeof(float));
    // In the order of ids, which is that of time: the same history gives the same model.
    for (const auto& row : tx.exec("SELECT features, (extract(epoch FROM occurred_at) * 1000)::bigint FROM (SELECT "
                                   "event_id, features, occurred_at FROM event "
                                   "WHERE tenant_id = $1 AND NOT test AND octet_length(features) >= $3 "
                                   "ORDER BY event_id DESC LIMIT $2) latest ORDER BY event_id",
                                   pqxx::params{tenant.value, rows_max, least})) {
      append_row(row[0].as<pqxx::bytes>(), columns, out.values);
      out.at.push_back(time_ms{row[1].as<std::int64_t>()});
    }
    if (out.rows() > 0)
      out.reach_ms = tx.query_value<std::int64_t>(
          "SELECT greatest(1, $2 - 1000 * extract(epoch FROM occurred_at))::bigint FROM event "
          "WHERE tenant_id = $1 AND NOT test ORDER BY event_id LIMIT 1",
          pqxx::params{tenant.value, out.at.back().value});
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
                 "AND l.live_from IS NOT NULL), EXISTS (SELECT FROM control_pending p WHERE p.tenant_id = $1 AND "
                 "p.body::jsonb ->> 'kind' = $2 AND (p.body::jsonb ->> 'version')::int = v.version) "
                 "FROM artifact_version v JOIN artifact a USING (tenant_id, kind, hash) "
                 "WHERE v.tenant_id = $1 AND v.kind = $2 ORDER BY v.version DESC LIMIT 1000",
                 pqxx::params{tenant.value, kind}))
      out.push_back({row[0].as<std::string>(), row[1].as<std::int64_t>(), row[2].as<std::string>(),
                     row[3].as<std::string>(), row[4].as<std::string>(), row[5].as<bool>(false), row[6].as<bool>()});
    return out;
  });
}

result<std::string> pg_control_store::version_bytes(tenant_id tenant, const std::string& kind,
                                                    const std::string& hash) {
  return writer_.run_for(tenant, "reading a version",
                         [&](pqxx::work& tx) { return read_version(tx, tenant, kind, hash); });
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
