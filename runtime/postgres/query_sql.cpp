#include "postgres/query_sql.hpp"

#include <fmt/format.h>

namespace pulse::postgres {

namespace {

using query::dimension;
using query::metric_question;

/// More rows than an answer has points (several currencies of a point aside) need not be fetched to be refused.
constexpr std::int64_t rows_max = 4 * query::points_max;

std::string bucket_of(statement& s, const metric_question& q, std::string_view at) {
  return millis(fmt::format("date_trunc('{}', {}, {})", to_string(q.granularity), at, s.arg(q.timezone)));
}

bool by_lines(const metric_question& q, std::optional<dimension> by) {
  return by == dimension::product || q.filter(dimension::product).has_value();
}

/// One row per event and product, with the sum of its lines in millionths, half away from zero per line.
constexpr std::string_view product_lines =
    " CROSS JOIN LATERAL (SELECT coalesce(l->>'product_id', '') AS product, "
    "sum(round((l->>'price')::numeric * (l->>'quantity')::numeric * 1000000)) AS micro "
    "FROM jsonb_array_elements(e.products) AS l GROUP BY 1) AS p";

std::string column_of(dimension d) {
  return d == dimension::product ? "p.product" : fmt::format("e.{}", to_string(d));
}

std::string filters_of(statement& s, const metric_question& q) {
  std::string out;
  for (std::size_t i = 0; i < query::dimension_count; ++i)
    if (q.filters[i])
      out += fmt::format(" AND {} = {}", column_of(static_cast<dimension>(i)), s.arg(*q.filters[i]));
  return out;
}

std::string sums_of_rollup(statement& s, const metric_question& q, const query::piece& p, std::optional<dimension> by) {
  std::string dim = by ? std::string(to_string(*by)) : "total";
  std::string filter;
  for (std::size_t i = 0; i < query::dimension_count; ++i) {
    if (!q.filters[i])
      continue;
    dim = to_string(static_cast<dimension>(i));
    filter = fmt::format(" AND value = {}", s.arg(*q.filters[i]));
  }
  return fmt::format(
      "SELECT {}, {}, currency, sum(events)::bigint, sum(orders)::bigint, sum(revenue_minor)::bigint, "
      "sum(refunds_minor)::bigint, sum(line_micro)::bigint, sum(anomalies)::bigint, sum(risk_milli)::bigint "
      "FROM {} WHERE tenant_id = $1 AND dim = '{}'{} AND bucket >= {} AND bucket < {} GROUP BY 1, 2, 3 LIMIT {}",
      by ? "value" : "NULL::text", bucket_of(s, q, "bucket"),
      p.origin == query::origin::quarters ? "rollup_quarter" : "rollup_minute", dim, filter, s.arg(p.from), s.arg(p.to),
      rows_max);
}

std::string sums_of_events(statement& s, const metric_question& q, const query::piece& p, std::optional<dimension> by) {
  const auto lines = by_lines(q, by);
  const auto group = by ? column_of(*by) : std::string("NULL::text");
  return fmt::format(
      "SELECT {0}, {1}, coalesce(e.currency, ''), count(*), count(*) FILTER (WHERE e.name = 'Order Completed'), "
      "coalesce(sum(e.amount_minor) FILTER (WHERE e.name = 'Order Completed'), 0)::bigint, "
      "coalesce(sum(e.amount_minor) FILTER (WHERE e.name = 'Order Refunded'), 0)::bigint, "
      "{2}::bigint, count(*) FILTER (WHERE e.flagged), sum(e.risk_milli)::bigint "
      "FROM event AS e{3} WHERE {4}{5}{6} AND {7}e.test GROUP BY 1, 2, 3 LIMIT {8}",
      group, bucket_of(s, q, "e.occurred_at"),
      lines ? "coalesce(sum(p.micro) FILTER (WHERE e.name = 'Order Completed'), 0)" : "0",
      lines ? product_lines : std::string_view{}, event_range(s, p.from, p.to), filters_of(s, q),
      by ? fmt::format(" AND {} IS NOT NULL", group) : "", q.test ? "" : "NOT ", rows_max);
}

} // namespace

std::string millis(std::string_view expression) {
  return fmt::format("(extract(epoch FROM {}) * 1000)::bigint", expression);
}

std::string event_range(statement& s, time_ms from, time_ms to) {
  // An id's time and occurred_at are at most 24 hours apart.
  const auto first = s.arg(from);
  const auto last = s.arg(to);
  return fmt::format("e.tenant_id = $1 AND e.event_id >= pulse_id_at({0} - interval '24 hours') "
                     "AND e.event_id < pulse_id_at({1} + interval '24 hours 1 millisecond') "
                     "AND e.occurred_at >= {0} AND e.occurred_at < {1}",
                     first, last);
}

pqxx::result run_sums(pqxx::work& tx, tenant_id tenant, const metric_question& q, const query::piece& p,
                      std::optional<dimension> by) {
  statement s(tenant);
  return s.run(tx, p.origin == query::origin::events ? sums_of_events(s, q, p, by) : sums_of_rollup(s, q, p, by));
}

pqxx::result run_customers(pqxx::work& tx, tenant_id tenant, const metric_question& q) {
  statement s(tenant);
  const auto group = q.group_by ? column_of(*q.group_by) : std::string("NULL::text");
  const auto bucket = bucket_of(s, q, "e.occurred_at");
  const auto range = event_range(s, q.from, q.to);
  const auto filters = filters_of(s, q);
  // Events without lines have no product: they count in the total alone.
  const auto lines = !by_lines(q, q.group_by) ? std::string()
                     : q.filter(dimension::product)
                         ? std::string(product_lines)
                         : " LEFT JOIN LATERAL (SELECT DISTINCT coalesce(l->>'product_id', '') AS product FROM "
                           "jsonb_array_elements(e.products) AS l) AS p ON true";
  return s.run(tx,
               fmt::format("SELECT grouping(b) = 1, g, b, count(DISTINCT customer), 0 FROM (SELECT {} AS g, {} AS b, "
                           "e.customer FROM event AS e{} WHERE {}{} AND e.customer IS NOT NULL AND {}e.test) AS c "
                           "GROUP BY GROUPING SETS ((g, b), ()) LIMIT {}",
                           group, bucket, lines, range, filters, q.test ? "" : "NOT ", rows_max));
}

pqxx::result run_sessions(pqxx::work& tx, tenant_id tenant, const metric_question& q) {
  statement s(tenant);
  // Before the range: does its first event go on with a session? After it: did a session end in an order?
  const auto range = event_range(s, time_ms{q.from.value - 30 * minute_ms}, time_ms{q.to.value + day_ms});
  const auto from = s.arg(q.from);
  const auto to = s.arg(q.to);
  const auto group = q.group_by ? column_of(*q.group_by) : std::string("NULL::text");
  const auto filters = filters_of(s, q);
  const auto bucket = bucket_of(s, q, "start");
  const auto lines = by_lines(q, q.group_by)
                         ? std::string_view(" LEFT JOIN LATERAL (SELECT DISTINCT coalesce(l->>'product_id', '') AS "
                                            "product FROM jsonb_array_elements(e.products) AS l) AS p ON true")
                         : std::string_view{};
  // A session is in a group, and passes a filter, when one of its events is and does.
  const auto text = fmt::format(
      "WITH seen AS (SELECT e.occurred_at AS at, e.event_id AS id, e.name = 'Order Completed' AS ordered, {0} AS g, "
      "coalesce(true{1}, false) AS fits, coalesce('c' || e.customer, 'a' || e.anonymous_id) AS who "
      "FROM event AS e{2} WHERE {3} AND coalesce(e.customer, e.anonymous_id) IS NOT NULL AND {4}e.test), "
      "gaps AS (SELECT *, (at - lag(at) OVER (PARTITION BY who ORDER BY at, id) < interval '30 minutes') IS NOT TRUE "
      "AS first FROM seen), "
      "numbered AS (SELECT *, count(*) FILTER (WHERE first) OVER (PARTITION BY who ORDER BY at, id) "
      "AS no FROM gaps), "
      "sessions AS (SELECT min(at) AS start, bool_or(ordered) AS ordered, "
      "array_remove(array_agg(DISTINCT g) FILTER (WHERE fits), NULL) AS groups FROM numbered GROUP BY who, no "
      "HAVING min(at) >= {5} AND min(at) < {6} AND bool_or(fits)) "
      "SELECT false, g, {7}, count(*), count(*) FILTER (WHERE ordered) FROM sessions, "
      "unnest(CASE WHEN cardinality(groups) = 0 THEN ARRAY[NULL::text] ELSE groups END) AS g GROUP BY 2, 3 "
      "UNION ALL SELECT true, NULL, NULL, count(*), count(*) FILTER (WHERE ordered) FROM sessions LIMIT {8}",
      group, filters, lines, range, q.test ? "" : "NOT ", from, to, bucket, rows_max);
  return s.run(tx, text);
}

pqxx::result run_buckets(pqxx::work& tx, tenant_id tenant, const metric_question& q) {
  statement s(tenant);
  const auto zone = s.arg(q.timezone);
  const auto from = s.arg(q.from);
  const auto to = s.arg(q.to);
  const auto unit = to_string(q.granularity);
  const bool local = q.granularity >= query::granularity::day;
  // Local days are counted on the local calendar, so that days of 23 and 25 hours are right; hours as instants, by
  // quarters, so that zones off the whole hour and both hours of an autumn night are.
  const auto text =
      local
          ? fmt::format("SELECT {0} FROM (SELECT d AT TIME ZONE {1} AS t FROM generate_series(date_trunc('{2}', {3} AT "
                        "TIME ZONE {1}), {4} AT TIME ZONE {1}, interval '1 {2}') AS d) AS all_days WHERE $1 > 0 AND t "
                        "< {4} ORDER BY 1",
                        millis("t"), zone, unit, from, to)
          : fmt::format("SELECT DISTINCT {0} FROM generate_series(date_trunc('{2}', {3}, {1}), {4} - interval '1 "
                        "millisecond', interval '{5}') AS d WHERE $1 > 0 ORDER BY 1",
                        millis(fmt::format("date_trunc('{}', d, {})", unit, zone)), zone, unit, from, to,
                        q.granularity == query::granularity::minute ? "1 minute" : "15 minutes");
  return s.run(tx, text);
}

} // namespace pulse::postgres
