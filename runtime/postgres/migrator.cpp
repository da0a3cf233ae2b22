#include "postgres/migrator.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "base/embedded.hpp"
#include "base/encoding.hpp"
#include "postgres/connection.hpp"

namespace pulse::postgres {

namespace {

/// Two programs at once wait for each other here.
constexpr auto advisory_key = "727501";

result<void> execute(connection& c, const std::string& sql, std::string_view where) {
  auto done = c.run(sql);
  if (const auto* problem = std::get_if<sql_error>(&done))
    return problem->to_error(where);
  return {};
}

result<void> apply(connection& c, const embedded_file& file, const std::string& hash) {
  const auto where = fmt::format("migration {}", file.name);
  if (auto ok = execute(c, "BEGIN", where); !ok)
    return ok;
  if (const auto problem = c.run_script(std::string(file.content))) {
    c.close(); // which rolls back
    return problem->to_error(where);
  }
  auto noted = c.run("INSERT INTO schema_migration (name, sha256) VALUES ($1, $2)", {std::string(file.name), hash});
  if (const auto* problem = std::get_if<sql_error>(&noted))
    return problem->to_error(where);
  return execute(c, "COMMIT", where);
}

} // namespace

result<int> migrate(const std::string& url, int horizon_days, const std::function<void(const std::string&)>& progress) {
  connection c(conninfo(url, role::owner, "pulse-migrate"));
  if (auto ok = c.ensure(); !ok)
    return ok.err();
  for (const auto& sql :
       {std::string("SET lock_timeout = '60s'"), fmt::format("SELECT pg_advisory_lock({})", advisory_key),
        std::string("CREATE TABLE IF NOT EXISTS schema_migration (name text PRIMARY KEY, sha256 text NOT NULL, "
                    "applied_at timestamptz NOT NULL DEFAULT now())")})
    if (auto ok = execute(c, sql, "preparing the migration"); !ok)
      return ok.err();
  auto listed = c.run("SELECT name, sha256 FROM schema_migration");
  if (const auto* problem = std::get_if<sql_error>(&listed))
    return problem->to_error("reading schema_migration");
  std::map<std::string, std::string, std::less<>> applied;
  const auto& rows = std::get<query_result>(listed);
  for (int i = 0; i < rows.rows(); ++i)
    applied.emplace(rows.text(i, 0), rows.text(i, 1));
  auto files = embedded_postgres();
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  int fresh = 0;
  for (const auto& file : files) {
    const auto hash = to_hex(sha256(file.content));
    if (const auto it = applied.find(file.name); it != applied.end()) {
      if (it->second != hash)
        return error{ec::conflict, fmt::format("migration {} was changed after it was applied", file.name), ""};
      continue;
    }
    if (auto ok = apply(c, file, hash); !ok)
      return ok.err();
    progress(std::string(file.name));
    ++fresh;
  }
  if (auto ok = make_partitions(url, horizon_days); !ok)
    return ok.err();
  return fresh;
}

namespace {

/// Under the maintenance job's limits: nobody waits long behind its locks, it is tried again in an hour.
result<void> maintain(const std::string& url, const std::string& call, std::string_view what) {
  connection c(conninfo(url, role::owner, "pulse-maintenance"));
  if (auto ok = c.ensure(); !ok)
    return ok.err();
  if (auto ok = execute(c, "SET lock_timeout = '2s'", what); !ok)
    return ok.err();
  return execute(c, call, what);
}

/// Events up to a day before the horizon keep their partition: clocks differ.
std::string edge(int horizon_days) {
  return fmt::format("now() - interval '{} days'", horizon_days + 1);
}

} // namespace

result<void> make_partitions(const std::string& url, int horizon_days) {
  return maintain(url, fmt::format("CALL pulse_make_partitions({}, now() + interval '28 days')", edge(horizon_days)),
                  "making partitions");
}

result<void> drop_partitions(const std::string& url, int horizon_days) {
  return maintain(url, fmt::format("CALL pulse_drop_partitions({})", edge(horizon_days)), "dropping partitions");
}

result<std::int64_t> delete_aged(const std::string& url, std::int64_t rows_max) {
  connection c(conninfo(url, role::owner, "pulse-maintenance"));
  if (auto ok = c.ensure(); !ok)
    return ok.err();
  if (auto ok = execute(c, "SET ROLE pulse_maintenance", "deleting what is aged"); !ok)
    return ok.err();
  std::int64_t gone = 0;
  for (const auto* table : {"rollup_minute", "message_seen", "failed_event", "event", "label"}) {
    // The policy says which rows are seen. Partitions have row numbers of their own: both parts name the row.
    auto done = c.run(fmt::format(
        "DELETE FROM {0} WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM {0} LIMIT {1})", table, rows_max));
    if (const auto* problem = std::get_if<sql_error>(&done))
      return problem->to_error(fmt::format("deleting what is aged in {}", table));
    gone += std::get<query_result>(done).affected();
  }
  return gone;
}

} // namespace pulse::postgres
