// Metrics: the frame of an answer, then sums from rollups and events, or distinct counts from events.
#include <algorithm>
#include <fmt/format.h>

#include "postgres/query_sql.hpp"
#include "postgres/query_store.hpp"

namespace pulse::postgres {

namespace {

std::optional<std::string> text_of(const pqxx::field& f) {
  return f.is_null() ? std::nullopt : std::optional(f.as<std::string>());
}

void read_sums(const pqxx::result& rows, std::vector<query::sums_row>& out) {
  for (const auto& row : rows) {
    query::sums_row r;
    r.group = text_of(row[0]);
    r.bucket = time_ms{row[1].as<std::int64_t>()};
    r.currency = row[2].as<std::string>();
    auto& m = r.sums;
    int column = 3;
    for (auto* v :
         {&m.events, &m.orders, &m.revenue_minor, &m.refunds_minor, &m.line_micro, &m.anomalies, &m.risk_milli})
      *v = row[column++].as<std::int64_t>();
    out.push_back(std::move(r));
  }
}

std::vector<query::distinct_row> read_distinct(const pqxx::result& rows) {
  std::vector<query::distinct_row> out;
  for (const auto& row : rows) {
    query::distinct_row r;
    r.group = text_of(row[1]);
    if (!row[0].as<bool>())
      r.bucket = time_ms{row[2].as<std::int64_t>()};
    r.things = row[3].as<std::int64_t>();
    r.converted = row[4].as<std::int64_t>();
    out.push_back(std::move(r));
  }
  return out;
}

/// The newest of the events with the newest ids: cheap by the primary key, whatever the partitions.
std::optional<time_ms> fresh_until(pqxx::work& tx, tenant_id tenant) {
  statement s(tenant);
  const auto rows = s.run(tx, fmt::format("SELECT {} FROM (SELECT e.received_at FROM event AS e WHERE e.tenant_id = $1 "
                                          "ORDER BY e.event_id DESC LIMIT 100) AS newest",
                                          millis("max(received_at)")));
  return rows[0][0].is_null() ? std::nullopt : std::optional(time_ms{rows[0][0].as<std::int64_t>()});
}

} // namespace

query::answer_frame pg_query_store::frame(pqxx::work& tx, tenant_id tenant, const query::metric_question& q) {
  statement s(tenant);
  const auto own = s.run(tx, "SELECT coalesce(currency, ''), timezone FROM tenant WHERE tenant_id = $1");
  if (own.empty())
    throw refused({ec::not_found, "there is no such tenant", ""});
  query::answer_frame out;
  out.question = q;
  out.currency = own[0][0].as<std::string>();
  auto& zone = out.question.timezone;
  if (zone.empty())
    zone = own[0][1].as<std::string>();
  zones_.require(tx, zone);
  for (const auto& row : run_buckets(tx, tenant, out.question))
    out.buckets.emplace_back(row[0].as<std::int64_t>());
  return out;
}

query::metric_answer pg_query_store::additive(pqxx::work& tx, tenant_id tenant, const query::answer_frame& frame) {
  const auto& q = frame.question;
  const bool rolled = query::rollups_answer(q);
  const auto pieces = rolled ? query::split_range(q.from, q.to, q.granularity, clock_.now())
                             : std::vector<query::piece>{{query::origin::events, q.from, q.to}};
  std::vector<query::sums_row> whole;
  std::vector<query::sums_row> grouped;
  for (const auto& p : pieces) {
    read_sums(run_sums(tx, tenant, q, p, std::nullopt), whole);
    if (q.group_by)
      read_sums(run_sums(tx, tenant, q, p, q.group_by), grouped);
  }
  auto out = query::answer_sums(frame, whole, grouped);
  if (!out)
    throw refused(out.err());
  out->from_events =
      std::all_of(pieces.begin(), pieces.end(), [](const auto& p) { return p.origin == query::origin::events; });
  return std::move(*out);
}

result<query::metric_answer> pg_query_store::metric(tenant_id tenant, const query::metric_question& q) {
  return read_for(tenant, "reading a metric", [&](pqxx::work& tx) {
    const auto start = frame(tx, tenant, q);
    query::metric_answer out;
    if (query::info_of(q.metric).additive) {
      out = additive(tx, tenant, start);
    } else {
      auto counted = query::answer_distinct(start, read_distinct(q.metric == query::metric::customers
                                                                     ? run_customers(tx, tenant, start.question)
                                                                     : run_sessions(tx, tenant, start.question)));
      if (!counted)
        throw refused(counted.err());
      out = std::move(*counted);
    }
    out.fresh_until = fresh_until(tx, tenant);
    return out;
  });
}

} // namespace pulse::postgres
