#include "postgres/failed_store.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "postgres/query_rows.hpp"
#include "postgres/query_sql.hpp"

namespace pulse::postgres {

namespace {

/// `{a,b}`: an array's text.
std::string array_of(const std::vector<uuid>& ids) {
  std::string out = "{";
  for (const auto& id : ids)
    out += (out.size() > 1 ? "," : "") + id.str();
  return out + "}";
}

std::string chosen(statement& s, const failed_selection& which) {
  std::string out = "tenant_id = $1 AND replayed_at IS NULL";
  if (which.from)
    out += fmt::format(" AND failed_id >= pulse_id_at({})", s.arg(*which.from));
  if (which.to)
    out += fmt::format(" AND failed_id < pulse_id_at({})", s.arg(*which.to));
  if (which.code)
    out += " AND code = " + s.arg(*which.code);
  if (which.stage)
    out += " AND stage = " + s.arg(*which.stage);
  if (!which.ids.empty())
    out += fmt::format(" AND failed_id = ANY ({}::uuid[])", s.arg(array_of(which.ids)));
  return out;
}

} // namespace

pg_failed_store::pg_failed_store(const std::string& url, const std::string& node) :
  db_(url, role::writer, "pulse-replay " + node) {
}

result<std::int64_t> pg_failed_store::count(tenant_id tenant, const failed_selection& which) {
  return db_.run_for(tenant, "counting failed events", [&](pqxx::work& tx) {
    statement s(tenant);
    const auto where = chosen(s, which);
    return s.run(tx, "SELECT count(*) FROM failed_event WHERE " + where)[0][0].as<std::int64_t>();
  });
}

result<std::vector<failed_body>> pg_failed_store::read(tenant_id tenant, const failed_selection& which,
                                                       std::int64_t max) {
  return db_.run_for(tenant, "reading failed events", [&](pqxx::work& tx) {
    statement s(tenant);
    const auto where = chosen(s, which);
    std::vector<failed_body> out;
    for (const auto& row : s.run(tx, fmt::format("SELECT {} FROM failed_event WHERE {} ORDER BY failed_id LIMIT {}",
                                                 failed_columns_read(), where, max))) {
      auto f = to_failed(row);
      out.push_back({f.id, std::move(f.body)});
    }
    return out;
  });
}

result<void> pg_failed_store::mark_replayed(tenant_id tenant, const std::vector<uuid>& ids) {
  return db_.run_for(tenant, "marking failed events", [&](pqxx::work& tx) {
    statement s(tenant);
    const auto which = s.arg(array_of(ids));
    s.run(tx, fmt::format("UPDATE failed_event SET replayed_at = now() WHERE tenant_id = $1 AND failed_id = ANY "
                          "({}::uuid[])",
                          which));
  });
}

} // namespace pulse::postgres
