#include "postgres/source_store.hpp"

#include <fmt/format.h>
#include <map>

namespace pulse::postgres {

namespace {

/// Of one tenant: each takes a thread and a few connections while it is read.
constexpr std::int64_t sources_max = 10;
/// How soon after a claim the reader is asked for again, in seconds.
constexpr int poke_seconds = 3;
constexpr std::size_t detail_bytes_max = 1000;

constexpr std::string_view columns =
    "source_id, config, '{}', paused, state, code, detail, to_char(state_at AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), accepted, refused, coalesce(to_char(last_record_at AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), ''), to_char(created_at AT TIME ZONE 'UTC', "
    "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), secrets->>'key' <> '', secrets->>'password' <> ''";

error no_source(const uuid& id) {
  return {ec::not_found, fmt::format("there is no source {}", id.str()), ""};
}

uuid id_in(const pqxx::field& f) {
  return uuid::parse(f.view()).value();
}

source::kafka_config config_in(std::string_view config, std::string_view secrets) {
  auto out = source::read_stored(config, secrets);
  if (!out)
    throw refused(out.err());
  return std::move(*out);
}

source_record to_record(const pqxx::row& row) {
  source_record out;
  out.id = id_in(row[0]);
  out.config = config_in(row[1].view(), row[2].view());
  // Only that they are set leaves the table.
  out.config.key = row[12].as<bool>(false) ? "***" : "";
  out.config.password = row[13].as<bool>(false) ? "***" : "";
  out.paused = row[3].as<bool>();
  out.status = {row[4].as<std::string>(), row[5].as<std::string>(), row[6].as<std::string>()};
  out.status_at = row[7].as<std::string>();
  out.accepted = row[8].as<std::int64_t>();
  out.refused = row[9].as<std::int64_t>();
  out.last_record_at = row[10].as<std::string>();
  out.created_at = row[11].as<std::string>();
  return out;
}

std::string due_kind(const uuid& id) {
  return "source:" + id.str();
}

void make_due(pqxx::work& tx, tenant_id tenant, const uuid& id, int in_seconds) {
  tx.exec("INSERT INTO due (tenant_id, kind, at) VALUES ($1, $2, now() + make_interval(secs => $3)) "
          "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = excluded.at",
          pqxx::params{tenant.value, due_kind(id), in_seconds});
}

void not_due(pqxx::work& tx, tenant_id tenant, const uuid& id) {
  tx.exec("DELETE FROM due WHERE tenant_id = $1 AND kind = $2", pqxx::params{tenant.value, due_kind(id)});
}

void note(pqxx::work& tx, tenant_id tenant, const std::string& actor, const char* action, const uuid& id) {
  tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, $2, $3, jsonb_build_object('id', "
          "$4::text))",
          pqxx::params{tenant.value, actor, action, id.str()});
}

} // namespace

pg_source_store::pg_source_store(const std::string& url, const std::string& node) :
  reader_(url, role::reader, "pulse-sources " + node), writer_(url, role::writer, "pulse-sources " + node) {
}

result<std::vector<source_record>> pg_source_store::find(tenant_id tenant, const std::optional<uuid>& id) {
  return reader_.run_for(tenant, "reading sources", [&](pqxx::work& tx) {
    std::vector<source_record> out;
    for (const auto& row : tx.exec(
             fmt::format("SELECT {} FROM source WHERE tenant_id = $1 AND ($2 = '' OR source_id::text = $2) ORDER BY "
                         "created_at, source_id",
                         columns),
             pqxx::params{tenant.value, id ? id->str() : std::string()}))
      out.push_back(to_record(row));
    for (const auto& row : tx.exec("SELECT source_id, topic_partition, next_offset, end_offset FROM source_position "
                                   "WHERE tenant_id = $1 ORDER BY topic_partition",
                                   pqxx::params{tenant.value}))
      for (auto& s : out)
        if (s.id == id_in(row[0]))
          s.positions.push_back({row[1].as<int>(), row[2].as<std::int64_t>(), row[3].as<std::int64_t>()});
    return out;
  });
}

result<std::vector<source_record>> pg_source_store::list(tenant_id tenant) {
  return find(tenant, std::nullopt);
}

result<source_record> pg_source_store::get(tenant_id tenant, const uuid& id) {
  auto found = find(tenant, id);
  if (!found)
    return found.err();
  if (found->empty())
    return no_source(id);
  return std::move(found->front());
}

result<source_change> pg_source_store::read(tenant_id tenant, const uuid& id) {
  return writer_.run_for(tenant, "reading a source", [&](pqxx::work& tx) {
    const auto rows = tx.exec("SELECT config, secrets, paused FROM source WHERE tenant_id = $1 AND source_id = $2",
                              pqxx::params{tenant.value, id.str()});
    if (rows.empty())
      throw refused(no_source(id));
    return source_change{config_in(rows[0][0].view(), rows[0][1].view()), rows[0][2].as<bool>()};
  });
}

result<uuid> pg_source_store::create(tenant_id tenant, const source_change& what, const std::string& actor) {
  const auto id = system_random().next_uuid();
  return writer_.run_for(tenant, "creating a source", [&](pqxx::work& tx) {
    const auto there =
        tx.exec("SELECT count(s.source_id) FROM tenant t LEFT JOIN source s ON s.tenant_id = t.tenant_id "
                "WHERE t.tenant_id = $1 AND t.deleted_at IS NULL GROUP BY t.tenant_id",
                pqxx::params{tenant.value});
    if (there.empty())
      throw refused({ec::not_found, fmt::format("there is no tenant {}", tenant.value), ""});
    if (there[0][0].as<std::int64_t>() >= sources_max)
      throw refused({ec::conflict, fmt::format("a tenant has at most {} sources; delete one", sources_max), ""});
    tx.exec("INSERT INTO source (tenant_id, source_id, kind, config, secrets, paused) VALUES ($1, $2, 'kafka', $3, $4, "
            "$5)",
            pqxx::params{tenant.value, id.str(), source::stored_config(what.config),
                         source::stored_secrets(what.config), what.paused});
    if (!what.paused)
      make_due(tx, tenant, id, 0);
    note(tx, tenant, actor, "create source", id);
    return id;
  });
}

result<void> pg_source_store::change(tenant_id tenant, const uuid& id, const source_change& what,
                                     const std::string& actor) {
  return writer_.run_for(tenant, "changing a source", [&](pqxx::work& tx) {
    const auto done =
        tx.exec("UPDATE source SET config = $3, secrets = $4, paused = $5, version = version + 1, holder = "
                "NULL, held_until = '-infinity', state = CASE WHEN $5 THEN 'paused' ELSE 'starting' END, "
                "code = '', detail = '', state_at = now() WHERE tenant_id = $1 AND source_id = $2",
                pqxx::params{tenant.value, id.str(), source::stored_config(what.config),
                             source::stored_secrets(what.config), what.paused});
    if (done.affected_rows() == 0)
      throw refused(no_source(id));
    // Whoever reads it is to hear of it, also when it is to be read no more: its next claim says so.
    make_due(tx, tenant, id, 0);
    note(tx, tenant, actor, "change source", id);
  });
}

result<void> pg_source_store::remove(tenant_id tenant, const uuid& id, const std::string& actor) {
  return writer_.run_for(tenant, "deleting a source", [&](pqxx::work& tx) {
    const auto done =
        tx.exec("DELETE FROM source WHERE tenant_id = $1 AND source_id = $2", pqxx::params{tenant.value, id.str()});
    if (done.affected_rows() == 0)
      throw refused(no_source(id));
    make_due(tx, tenant, id, 0);
    note(tx, tenant, actor, "delete source", id);
  });
}

result<std::string> pg_source_store::networks(tenant_id tenant) {
  return reader_.run_for(tenant, "reading a tenant's networks", [&](pqxx::work& tx) {
    const auto rows = tx.exec("SELECT webhook_allow FROM tenant WHERE tenant_id = $1", pqxx::params{tenant.value});
    return rows.empty() ? std::string() : rows[0][0].as<std::string>();
  });
}

result<std::optional<claimed_source>> pg_source_store::claim(tenant_id tenant, const uuid& id,
                                                             const std::string& holder, std::int64_t seconds) {
  bool gone = false;
  auto out = writer_.run_for(tenant, "claiming a source", [&](pqxx::work& tx) -> std::optional<claimed_source> {
    const auto there =
        tx.exec("SELECT t.webhook_allow FROM source s JOIN tenant t ON t.tenant_id = $1 WHERE s.tenant_id = $1 AND "
                "s.source_id = $2 AND NOT s.paused AND t.deleted_at IS NULL",
                pqxx::params{tenant.value, id.str()});
    if (there.empty()) {
      gone = true;
      not_due(tx, tenant, id);
      return std::nullopt;
    }
    make_due(tx, tenant, id, poke_seconds);
    const auto rows =
        tx.exec("UPDATE source SET holder = $3, held_until = clock_timestamp() + make_interval(secs => $4) "
                "WHERE tenant_id = $1 AND source_id = $2 AND (holder = $3 OR held_until < "
                "clock_timestamp()) RETURNING version, config, secrets",
                pqxx::params{tenant.value, id.str(), holder, seconds});
    if (rows.empty())
      return std::nullopt;
    claimed_source c;
    c.version = rows[0][0].as<std::int64_t>();
    c.config = config_in(rows[0][1].view(), rows[0][2].view());
    c.allow = there[0][0].as<std::string>();
    for (const auto& row :
         tx.exec("SELECT topic_partition, topic_id, next_offset FROM source_position WHERE tenant_id = "
                 "$1 AND source_id = $2",
                 pqxx::params{tenant.value, id.str()})) {
      c.topic_id = row[1].as<std::string>();
      c.next[row[0].as<int>()] = row[2].as<std::int64_t>();
    }
    return c;
  });
  if (out && gone)
    return no_source(id);
  return out;
}

result<void> pg_source_store::report(tenant_id tenant, const uuid& id, const std::string& holder, std::int64_t version,
                                     const source_report& what) {
  return writer_.run_for(tenant, "storing a source's positions", [&](pqxx::work& tx) {
    const auto mine = tx.exec(
        "UPDATE source SET state = $5, code = $6, detail = $7, state_at = CASE WHEN state = $5 AND code = $6 AND "
        "detail "
        "= $7 THEN state_at ELSE now() END, accepted = accepted + $8, refused = refused + $9, last_record_at = "
        "greatest(last_record_at, to_timestamp(nullif($10::bigint, 0) / 1000.0)) WHERE tenant_id = $1 AND source_id = "
        "$2 AND "
        "holder = $3 AND version = $4 AND held_until > clock_timestamp()",
        pqxx::params{tenant.value, id.str(), holder, version, what.status.state, what.status.code,
                     what.status.detail.substr(0, detail_bytes_max), what.saved.accepted, what.saved.refused,
                     what.saved.last_record_ms});
    if (mine.affected_rows() == 0)
      throw refused({ec::fenced, "somebody else reads the source, or it was changed", ""});
    // Of a topic that was deleted and made again nothing was read.
    if (!what.topic_id.empty())
      tx.exec("DELETE FROM source_position WHERE tenant_id = $1 AND source_id = $2 AND topic_id <> $3",
              pqxx::params{tenant.value, id.str(), what.topic_id});
    for (const auto& [partition, next] : what.saved.next)
      tx.exec("INSERT INTO source_position AS p (tenant_id, source_id, topic_partition, topic_id, next_offset) VALUES "
              "($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, source_id, topic_partition) DO UPDATE SET next_offset = "
              "greatest(p.next_offset, excluded.next_offset)",
              pqxx::params{tenant.value, id.str(), partition, what.topic_id, next});
    for (const auto& [partition, end] : what.ends)
      tx.exec("UPDATE source_position SET end_offset = greatest(next_offset, $4) WHERE tenant_id = $1 AND source_id = "
              "$2 AND topic_partition = $3",
              pqxx::params{tenant.value, id.str(), partition, end});
  });
}

result<void> pg_source_store::release(tenant_id tenant, const uuid& id, const std::string& holder) {
  return writer_.run_for(tenant, "releasing a source", [&](pqxx::work& tx) {
    tx.exec(
        "UPDATE source SET holder = NULL, held_until = '-infinity' WHERE tenant_id = $1 AND source_id = $2 AND holder "
        "= $3",
        pqxx::params{tenant.value, id.str(), holder});
  });
}

} // namespace pulse::postgres
