// What the sink reads: a tenant's start and the versions that control records name.
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "postgres/slot_sink.hpp"

namespace pulse::postgres {

namespace {

std::string from_bytea(std::string_view text) {
  std::string out;
  if (!text.starts_with("\\x"))
    return out;
  out.resize((text.size() - 2) / 2);
  if (!from_hex(text.substr(2), {reinterpret_cast<std::uint8_t*>(out.data()), out.size()}))
    out.clear();
  return out;
}

} // namespace

result<tenant_start> slot_sink::load(tenant_id tenant) {
  if (auto ok = ready(); !ok)
    return ok.err();
  const auto id = std::to_string(tenant.value);
  const auto generation = std::to_string(config_.generation.value);
  const auto fail = [this](const sql_error& problem, std::string_view where) {
    db_.close();
    staged_ = false;
    return problem.to_error(where);
  };
  // One snapshot: images and their mark belong together.
  if (const auto problem = db_.run_script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    return fail(*problem, "loading a tenant");
  std::optional<sql_error> problem;
  const auto ask = [&](const std::string& sql, std::vector<std::optional<std::string>> parameters) {
    auto done = db_.run(sql, parameters);
    if (auto* refused = std::get_if<sql_error>(&done)) {
      problem = *refused;
      return query_result(nullptr);
    }
    return std::get<query_result>(done);
  };
  tenant_start start;
  start.tenant = tenant;
  ask("SELECT set_config('app.tenants', $1, true)", {id});
  if (problem)
    return fail(*problem, "loading a tenant");
  const auto row = ask("SELECT name, coalesce(currency, ''), timezone FROM tenant WHERE tenant_id = $1", {id});
  if (problem)
    return fail(*problem, "loading a tenant");
  if (row.rows() == 0) {
    (void)db_.run_script("ROLLBACK");
    return error{ec::not_found, fmt::format("there is no tenant {}", id), ""};
  }
  start.name = row.text(0, 0);
  start.currency = row.text(0, 1);
  start.timezone = row.text(0, 2);
  const auto mark = ask("SELECT image_as_of FROM ledger WHERE tenant_id = $1 AND generation = $2", {id, generation});
  if (problem)
    return fail(*problem, "loading a tenant");
  if (mark.rows() == 1)
    start.as_of = log_offset{mark.number(0, 0)};
  const auto images = ask("SELECT chunk, as_of, bytes FROM state_image WHERE tenant_id = $1 AND generation = $2 "
                          "ORDER BY chunk",
                          {id, generation});
  if (problem)
    return fail(*problem, "loading a tenant");
  for (int i = 0; i < images.rows(); ++i)
    start.images.push_back({static_cast<std::int32_t>(images.number(i, 0)), log_offset{images.number(i, 1)},
                            from_bytea(images.text(i, 2))});
  const auto aside =
      ask("SELECT raw_offset FROM failed_event WHERE tenant_id = $1 AND generation = $2 AND raw_offset > $3 "
          "AND code IN ('poison', 'quarantined') AND stage <> 'store'",
          {id, generation, std::to_string(start.as_of.value)});
  if (problem)
    return fail(*problem, "loading a tenant");
  for (int i = 0; i < aside.rows(); ++i)
    start.set_aside.push_back(log_offset{aside.number(i, 0)});
  (void)db_.run_script("ROLLBACK");
  return start;
}

result<slot::artifact> slot_sink::fetch(tenant_id tenant, const std::string& kind, const std::string& hash) {
  if (auto ok = ready(); !ok)
    return ok.err();
  const auto id = std::to_string(tenant.value);
  if (const auto problem = db_.run_script("BEGIN READ ONLY"))
    return problem->to_error("fetching a version");
  (void)db_.run("SELECT set_config('app.tenants', $1, true)", {id});
  auto found = db_.run("SELECT bytes FROM artifact WHERE tenant_id = $1 AND kind = $2 AND hash = $3", {id, kind, hash});
  (void)db_.run_script("ROLLBACK");
  if (const auto* problem = std::get_if<sql_error>(&found))
    return problem->to_error("fetching a version");
  const auto& rows = std::get<query_result>(found);
  if (rows.rows() == 0)
    return error{ec::not_found, fmt::format("tenant {} has no {} {}", id, kind, hash), ""};
  return slot::artifact{kind, hash, std::make_shared<const std::string>(from_bytea(rows.text(0, 0)))};
}

} // namespace pulse::postgres
