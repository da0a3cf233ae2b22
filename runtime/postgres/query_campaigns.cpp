// Campaigns: which stores and countries their orders came from, and what was spent on them.
#include <fmt/format.h>

#include "models/rollup/rollup.hpp"
#include "postgres/query_sql.hpp"
#include "postgres/query_store.hpp"

namespace pulse::postgres {

namespace {

constexpr std::int64_t rows_max = 50'000;

} // namespace

result<std::vector<query::campaign_row>> pg_query_store::campaigns(tenant_id tenant, time_ms from, time_ms to) {
  return read_for(tenant, "reading campaigns", [&](pqxx::work& tx) {
    statement s(tenant);
    const auto ordered = s.arg(std::string(rollup::order_completed)), spent = s.arg(std::string(query::campaign_spend));
    const auto range = event_range(s, from, to);
    std::vector<query::campaign_row> out;
    for (const auto& row : s.run(
             tx, fmt::format("SELECT e.campaign, e.store, e.country, count(*) FILTER (WHERE e.name = {0}), "
                             "coalesce(sum(e.amount_minor) FILTER (WHERE e.name = {1} AND coalesce(e.currency, '') IN "
                             "('', 'XXX', (SELECT t.currency FROM tenant t WHERE t.tenant_id = $1))), 0)::bigint "
                             "FROM event AS e WHERE {2} AND e.name IN ({0}, {1}) AND e.campaign IS NOT NULL AND NOT "
                             "e.test GROUP BY 1, 2, 3 LIMIT {3}",
                             ordered, spent, range, rows_max))) {
      const auto text = [](const pqxx::field& f) {
        return f.is_null() ? std::nullopt : std::optional(f.as<std::string>());
      };
      out.push_back(
          {row[0].as<std::string>(), text(row[1]), text(row[2]), row[3].as<std::int64_t>(), row[4].as<std::int64_t>()});
    }
    return out;
  });
}

} // namespace pulse::postgres
