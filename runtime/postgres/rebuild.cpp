#include "postgres/rebuild.hpp"

#include <fmt/format.h>

#include "postgres/pool.hpp"

namespace pulse::postgres {

namespace {

constexpr auto session_name = "pulse-rebuild";

} // namespace

result<void> ready_to_rebuild(const std::string& url, log_generation generation) {
  session node(url, role::node, session_name);
  return node.run("looking whether a rebuild may begin", [&](pqxx::work& tx) {
    const auto rows = tx.exec("SELECT coalesce(sum(raw), 0)::bigint FROM ledger").one_field().as<std::int64_t>();
    const auto moved = tx.exec("SELECT count(*) FROM log_position WHERE generation = $1 AND next_offset > 0",
                               pqxx::params{generation.value})
                           .one_field()
                           .as<std::int64_t>();
    if (rows > 0 || moved > 0)
      throw refused(
          {ec::conflict,
           fmt::format("the database has event data ({} records were counted): restore it with tenants, keys, "
                       "endpoints and versions alone",
                       rows),
           ""});
    const auto holders = tx.exec("SELECT coalesce(string_agg(DISTINCT node, ', '), '') FROM slot_lease WHERE "
                                 "generation = $1 AND expires_at > clock_timestamp() AND node IS NOT NULL",
                                 pqxx::params{generation.value})
                             .one_field()
                             .as<std::string>();
    if (!holders.empty())
      throw refused({ec::conflict, "nodes hold slots: " + holders + "; stop them first", ""});
  });
}

result<std::int64_t> settle_rebuilt_alerts(const std::string& url) {
  session writer(url, role::writer, session_name);
  session node(url, role::node, session_name);
  const auto tenants = node.run("listing tenants", [](pqxx::work& tx) {
    return tx.exec("SELECT coalesce(string_agg(tenant_id::text, ','), '0') FROM tenant").one_field().as<std::string>();
  });
  if (!tenants)
    return tenants.err();
  return writer.run("settling the rebuilt alerts", [&](pqxx::work& tx) {
    tx.exec("SELECT set_config('app.tenants', $1, true)", pqxx::params{*tenants});
    // Long enough ago not to count against the hour's limit.
    const auto done =
        tx.exec("UPDATE alert SET state = 'told', decided_at = now() - interval '2 hours' WHERE state = 'new'");
    tx.exec("DELETE FROM due WHERE kind = 'alert'");
    return static_cast<std::int64_t>(done.affected_rows());
  });
}

result<rebuilt_counts> count_rebuilt(const std::string& url, log_generation generation) {
  session node(url, role::node, session_name);
  return node.run("counting what was rebuilt", [&](pqxx::work& tx) {
    const auto row = tx.exec("SELECT coalesce(sum(raw), 0)::bigint, coalesce(sum(stored), 0)::bigint, "
                             "coalesce(sum(duplicates), 0)::bigint, coalesce(sum(failed), 0)::bigint FROM ledger "
                             "WHERE generation = $1",
                             pqxx::params{generation.value})
                         .one_row();
    return rebuilt_counts{row[0].as<std::int64_t>(), row[1].as<std::int64_t>(), row[2].as<std::int64_t>(),
                          row[3].as<std::int64_t>()};
  });
}

} // namespace pulse::postgres
