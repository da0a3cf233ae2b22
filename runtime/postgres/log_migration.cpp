#include "postgres/log_migration.hpp"

#include <fmt/format.h>
#include <map>
#include <thread>

#include "models/placement/spread.hpp"
#include "models/slot/rebase.hpp"

namespace pulse::postgres {

namespace {

constexpr auto session_name = "pulse-migrate-log";
constexpr int looks_max = 15;
constexpr auto between_looks = std::chrono::milliseconds(200);

constexpr auto columns = "from_generation, to_generation, to_char(at AT TIME ZONE 'UTC', "
                         "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), tenants, images";

log_migrated to_migrated(const pqxx::row& row) {
  return {log_generation{row[0].as<std::int64_t>()}, log_generation{row[1].as<std::int64_t>()},
          row[2].as<std::string>(), row[3].as<std::int64_t>(), row[4].as<std::int64_t>()};
}

/// Every tenant with what it had in the generation; tombstones have no load any more.
std::vector<placement::tenant_load> loads_of(pqxx::work& tx, log_generation generation) {
  std::vector<placement::tenant_load> out;
  for (const auto& row :
       tx.exec("SELECT t.tenant_id, CASE WHEN t.deleted_at IS NULL THEN coalesce(l.raw, 0) ELSE 0 END "
               "FROM tenant t LEFT JOIN ledger l ON l.tenant_id = t.tenant_id AND l.generation = $1 "
               "ORDER BY 1",
               pqxx::params{generation.value}))
    out.push_back({tenant_id{row[0].as<int>()}, row[1].as<std::int64_t>()});
  return out;
}

/// The tenant's images, written for the new generation; how many.
std::int64_t carry_images(pqxx::work& tx, tenant_id tenant, log_generation from, log_generation to) {
  const auto marks = tx.exec("SELECT image_as_of FROM ledger WHERE tenant_id = $1 AND generation = $2",
                             pqxx::params{tenant.value, from.value});
  // Without a row its images are those of an earlier migration, which no record has changed since.
  const log_offset mark{marks.empty() ? -1 : marks[0][0].as<std::int64_t>()};
  std::vector<slot::chunk_image> images;
  for (const auto& row : tx.exec("SELECT chunk, as_of, bytes FROM state_image WHERE tenant_id = $1 AND generation = $2 "
                                 "ORDER BY chunk",
                                 pqxx::params{tenant.value, from.value})) {
    const auto bytes = row[2].as<pqxx::bytes>();
    images.push_back({row[0].as<int>(), log_offset{row[1].as<std::int64_t>()},
                      std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  }
  const auto moved = slot::rebased(images, mark);
  if (!moved)
    throw refused({moved.err().code,
                   fmt::format("the scoring state of tenant {} can't be carried over: {}; restore it, or delete its "
                               "rows of state_image (its scores then start anew)",
                               tenant.value, moved.err().detail),
                   ""});
  for (const auto& image : *moved)
    tx.exec("INSERT INTO state_image (tenant_id, generation, chunk, as_of, bytes) VALUES ($1, $2, $3, $4, $5)",
            pqxx::params{tenant.value, to.value, image.chunk, image.as_of.value, pqxx::binary_cast(image.bytes)});
  return static_cast<std::int64_t>(moved->size());
}

void refuse_used(pqxx::work& tx, log_generation to) {
  const auto used = tx.query_value<bool>(
      fmt::format("SELECT EXISTS (SELECT FROM ledger WHERE generation = {0}) OR EXISTS (SELECT FROM log_position "
                  "WHERE generation = {0} AND next_offset > 0)",
                  to.value));
  if (used)
    throw refused({ec::conflict,
                   "events were stored out of that Kafka log already, without this log's state: it can't be carried "
                   "over any more. To begin anew set kafka.topic_prefix to a name without topics",
                   ""});
}

} // namespace

log_migration::log_migration(const std::string& url) :
  url_(url), node_(url, role::node, session_name), writer_(url, role::writer, session_name) {
}

result<std::optional<log_migrated>> log_migration::left_by(log_generation from) {
  return node_.run("looking for a migration of the log", [&](pqxx::work& tx) {
    const auto rows = tx.exec(fmt::format("SELECT {} FROM log_migration WHERE from_generation = $1", columns),
                              pqxx::params{from.value});
    return rows.empty() ? std::optional<log_migrated>() : to_migrated(rows[0]);
  });
}

result<bool> log_migration::was_entered(log_generation to) {
  return node_.run("looking for a migration of the log", [&](pqxx::work& tx) {
    return !tx.exec("SELECT FROM log_migration WHERE to_generation = $1", pqxx::params{to.value}).empty();
  });
}

result<void> log_migration::nobody_serves() {
  session owner(url_, role::owner, session_name);
  std::string names;
  for (int look = 0; look < looks_max; ++look) {
    const auto found = owner.run("looking for serving nodes", [](pqxx::work& tx) {
      return tx.query_value<std::string>(
          "SELECT coalesce(string_agg(DISTINCT split_part(application_name, ' ', 2), ', '), '') FROM pg_stat_activity "
          "WHERE datname = current_database() AND application_name LIKE 'pulse-writer %'");
    });
    if (!found)
      return found.err();
    names = *found;
    if (names.empty())
      return {};
    std::this_thread::sleep_for(between_looks);
  }
  return error{ec::conflict, fmt::format("a node serves from this database: {}; stop every node first", names), ""};
}

result<std::vector<slot_left>> log_migration::left(log_generation generation, const std::vector<log_offset>& ends) {
  return node_.run("looking what is left of the log", [&](pqxx::work& tx) {
    std::map<slot_id, slot_left> found;
    for (std::size_t i = 0; i < ends.size(); ++i)
      if (ends[i].value > 0)
        found[slot_id{static_cast<int>(i)}] = {slot_id{static_cast<int>(i)}, ends[i].value, 0};
    for (const auto& row :
         tx.exec("SELECT slot, next_offset FROM log_position WHERE generation = $1", pqxx::params{generation.value}))
      if (const auto at = found.find(slot_id{row[0].as<int>()}); at != found.end())
        at->second.records -= row[1].as<std::int64_t>();
    for (const auto& row : tx.exec("SELECT l.slot, count(*) FROM ledger l JOIN tenant t USING (tenant_id) WHERE "
                                   "l.generation = $1 AND l.last_offset > l.image_as_of AND t.deleted_at IS NULL "
                                   "GROUP BY 1",
                                   pqxx::params{generation.value})) {
      const slot_id slot{row[0].as<int>()};
      found[slot].slot = slot;
      found[slot].tenants_behind = row[1].as<std::int64_t>();
    }
    std::vector<slot_left> out;
    for (const auto& [slot, l] : found)
      if (l.records > 0 || l.tenants_behind > 0)
        out.push_back(l);
    return out;
  });
}

result<log_migrated> log_migration::move(log_generation from, log_generation to, int slots,
                                         const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const auto tenants = node_.run("listing tenants", [&](pqxx::work& tx) { return loads_of(tx, from); });
  if (!tenants)
    return tenants.err();
  const auto places = placement::spread(*tenants, slots);
  std::string all = "0";
  for (const auto& t : *tenants)
    all += fmt::format(",{}", t.tenant.value);
  return writer_.run("carrying the state over", [&](pqxx::work& tx) {
    tx.exec("SELECT set_config('app.tenants', $1, true)", pqxx::params{all});
    refuse_used(tx, to);
    // An earlier try may have been for the same topics.
    tx.exec("DELETE FROM state_image WHERE generation = $1", pqxx::params{to.value});
    std::int64_t images = 0;
    for (std::size_t i = 0; i < tenants->size(); ++i) {
      const auto tenant = (*tenants)[i].tenant;
      tx.exec("UPDATE tenant SET slot = $2 WHERE tenant_id = $1", pqxx::params{tenant.value, places[i].value});
      images += carry_images(tx, tenant, from, to);
      progress(static_cast<std::int64_t>(i + 1), static_cast<std::int64_t>(tenants->size()));
    }
    tx.exec("INSERT INTO log_position (generation, slot) SELECT $1::bigint, generate_series(0, $2::int - 1) "
            "ON CONFLICT DO NOTHING",
            pqxx::params{to.value, slots});
    return to_migrated(
        tx.exec(fmt::format("INSERT INTO log_migration (from_generation, to_generation, tenants, images) "
                            "VALUES ($1, $2, $3, $4) RETURNING {}",
                            columns),
                pqxx::params{from.value, to.value, static_cast<std::int64_t>(tenants->size()), images})
            .one_row());
  });
}

} // namespace pulse::postgres
