#include "postgres/query_store.hpp"

#include <fmt/format.h>

#include "postgres/query_rows.hpp"
#include "postgres/query_sql.hpp"

namespace pulse::postgres {

namespace {

std::string event_filters(statement& s, const query::events_question& q) {
  std::string out = q.test ? " AND e.test" : " AND NOT e.test";
  for (std::size_t i = 0; i < query::dimension_count; ++i) {
    if (!q.filters[i])
      continue;
    const auto d = static_cast<query::dimension>(i);
    if (d == query::dimension::product)
      out += fmt::format(" AND e.products @> jsonb_build_array(jsonb_build_object('product_id', {}))",
                         s.arg(*q.filters[i]));
    else
      out += fmt::format(" AND e.{} = {}", to_string(d), s.arg(*q.filters[i]));
  }
  if (q.type)
    out += " AND e.type = " + s.arg(*q.type);
  if (q.outcome)
    out += " AND e.risk_outcome = " + s.arg(*q.outcome);
  if (q.customer) {
    const auto who = s.arg(*q.customer);
    out += fmt::format(" AND (e.customer = {0} OR e.anonymous_id = {0})", who);
  }
  if (q.min_risk_milli)
    out += " AND e.risk_milli >= " + s.arg(*q.min_risk_milli);
  // The range of ids prunes partitions; occurred_at decides.
  if (q.from) {
    const auto from = s.arg(*q.from);
    out += fmt::format(" AND e.occurred_at >= {0} AND e.event_id >= pulse_id_at({0} - interval '24 hours')", from);
  }
  if (q.to) {
    const auto to = s.arg(*q.to);
    out += fmt::format(" AND e.occurred_at < {0} AND e.event_id < pulse_id_at({0} + interval '24 hours 1 millisecond')",
                       to);
  }
  return out;
}

template <class Row, class Read>
page_of<Row> page(const pqxx::result& rows, std::int64_t limit, Read read) {
  page_of<Row> out;
  for (const auto& row : rows) {
    if (static_cast<std::int64_t>(out.rows.size()) == limit) {
      out.has_more = true;
      break;
    }
    out.rows.push_back(read(row));
  }
  return out;
}

} // namespace

pg_query_store::pg_query_store(query_config config, const clock& time) :
  config_(std::move(config)), clock_(time), db_(config_.url, role::reader, "pulse-query " + config_.node) {
}

error pg_query_store::explain(const error& e) const {
  if (e.detail.find("SQLSTATE 57014") == std::string::npos)
    return e;
  return {
      ec::timeout,
      fmt::format("the answer took longer than {} seconds: ask for a shorter range, fewer filters, or one dimension "
                  "only",
                  config_.statement_timeout_ms / 1000),
      ""};
}

result<page_of<stored_event>> pg_query_store::events(tenant_id tenant, const query::events_question& q) {
  return read_for(tenant, "listing events", [&](pqxx::work& tx) {
    statement s(tenant);
    auto where = event_filters(s, q);
    if (q.after)
      where += fmt::format(" AND e.event_id {} {}", q.oldest_first ? ">" : "<", s.arg(*q.after));
    const auto rows =
        s.run(tx, fmt::format("SELECT {} FROM event AS e WHERE e.tenant_id = $1{} ORDER BY e.event_id {} LIMIT {}",
                              event_columns_read(), where, q.oldest_first ? "ASC" : "DESC", q.limit + 1));
    return page<stored_event>(rows, q.limit, to_event);
  });
}

result<stored_event> pg_query_store::event(tenant_id tenant, const event_id& id) {
  return read_for(tenant, "reading an event", [&](pqxx::work& tx) {
    statement s(tenant);
    const auto key = s.arg(id.value);
    const auto rows = s.run(tx, fmt::format("SELECT {} FROM event AS e WHERE e.tenant_id = $1 AND e.event_id = {}",
                                            event_columns_read(), key));
    if (rows.empty())
      throw refused({ec::not_found, "there is no event " + id.str(), ""});
    return to_event(rows[0]);
  });
}

result<page_of<failed_event>> pg_query_store::failed_events(tenant_id tenant, const query::failed_question& q) {
  return read_for(tenant, "listing failed events", [&](pqxx::work& tx) {
    statement s(tenant);
    std::string where;
    // The id begins with the time of receipt.
    if (q.from)
      where += fmt::format(" AND failed_id >= pulse_id_at({})", s.arg(*q.from));
    if (q.to)
      where += fmt::format(" AND failed_id < pulse_id_at({})", s.arg(*q.to));
    if (q.code)
      where += " AND code = " + s.arg(*q.code);
    if (q.stage)
      where += " AND stage = " + s.arg(*q.stage);
    if (q.after)
      where += " AND failed_id < " + s.arg(*q.after);
    const auto rows =
        s.run(tx, fmt::format("SELECT {} FROM failed_event WHERE tenant_id = $1{} ORDER BY failed_id DESC LIMIT {}",
                              failed_columns_read(), where, q.limit + 1));
    return page<failed_event>(rows, q.limit, to_failed);
  });
}

result<std::string> pg_query_store::version(tenant_id tenant, const std::string& kind, const std::string& hash) {
  return read_for(tenant, "reading a version", [&](pqxx::work& tx) { return read_version(tx, tenant, kind, hash); });
}

result<std::optional<std::string>> pg_query_store::live_version(tenant_id tenant, const std::string& kind) {
  return read_for(tenant, "reading the version in force", [&](pqxx::work& tx) -> std::optional<std::string> {
    statement s(tenant);
    const auto rows = s.run(
        tx, fmt::format("SELECT hash FROM artifact_version WHERE tenant_id = $1 AND kind = {} AND live_from IS NOT "
                        "NULL ORDER BY version DESC LIMIT 1",
                        s.arg(kind)));
    if (rows.empty())
      return std::nullopt;
    return read_version(tx, tenant, kind, rows[0][0].as<std::string>());
  });
}

result<tenant_use> pg_query_store::use(tenant_id tenant) {
  return read_for(tenant, "reading limits", [&](pqxx::work& tx) {
    statement s(tenant);
    const auto rows = s.run(
        tx, "SELECT t.rate::bigint, t.burst::bigint, coalesce(sum(l.raw), 0)::bigint, coalesce(sum(l.stored), "
            "0)::bigint, coalesce(sum(l.duplicates), 0)::bigint, coalesce(sum(l.failed), 0)::bigint FROM tenant AS "
            "t LEFT JOIN ledger AS l ON l.tenant_id = t.tenant_id WHERE t.tenant_id = $1 GROUP BY t.tenant_id, "
            "t.rate, t.burst");
    if (rows.empty())
      throw refused({ec::not_found, "there is no such tenant", ""});
    row_reader in(rows[0]);
    tenant_use out;
    for (auto* v : {&out.rate, &out.burst, &out.raw, &out.stored, &out.duplicates, &out.failed})
      *v = in.value<std::int64_t>();
    return out;
  });
}

} // namespace pulse::postgres
