#include "postgres/series_store.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

#include "models/event/names.hpp"
#include "models/series/watch_settings.hpp"
#include "postgres/alert_work.hpp"
#include "postgres/judged_rows.hpp"
#include "postgres/query_rows.hpp"

namespace pulse::postgres {

namespace {

/// Segments of a dimension that are watched: those with most orders in four weeks.
constexpr int segments_max = 5;

time_ms hour_begin(time_ms t) {
  return {t.value / hour_ms * hour_ms};
}

std::string failed_names() {
  std::string out;
  for (auto name : payment_failed_names)
    out += fmt::format("{}'{}'", out.empty() ? "" : ",", name);
  return out;
}

/// Offsets of the tenant's clock from UTC, where they change.
std::vector<series::zone_offset> read_zone(pqxx::work& tx, const std::string& zone, time_ms from, time_ms to) {
  std::vector<series::zone_offset> out;
  for (const auto& row : tx.exec("SELECT (extract(epoch FROM h) * 1000)::bigint, (extract(epoch FROM (h AT TIME ZONE "
                                 "$1) - (h AT TIME ZONE 'UTC')) * 1000)::bigint FROM generate_series($2::timestamptz, "
                                 "$3::timestamptz, interval '1 hour') AS h ORDER BY 1",
                                 pqxx::params{zone, format_time(from), format_time(to)})) {
    const auto offset = row[1].as<std::int64_t>();
    if (out.empty() || out.back().offset_ms != offset)
      out.push_back({{row[0].as<std::int64_t>()}, offset});
  }
  return out;
}

/// Lines by metric and segment, each with a place for every hour.
class line_table {
public:
  explicit line_table(std::size_t hours) : hours_(hours) {
  }

  /// Makes the line when it is new.
  std::vector<std::int64_t>& line(const std::string& metric, const std::string& segment) {
    auto& values = lines_[{segment, metric}];
    values.resize(hours_);
    return values;
  }

  /// Only lines in which anything happened; totals first.
  std::vector<series::metric_line> done() && {
    std::vector<series::metric_line> out;
    for (auto& [name, values] : lines_)
      if (std::any_of(values.begin(), values.end(), [](auto v) { return v != 0; }))
        out.push_back({name.second, name.first, std::move(values)});
    return out;
  }

private:
  std::size_t hours_;
  std::map<std::pair<std::string, std::string>, std::vector<std::int64_t>> lines_;
};

constexpr auto sums_text =
    "SELECT r.dim, r.value, (extract(epoch FROM r.bucket)::bigint - extract(epoch FROM $2::timestamptz)::bigint) / "
    "3600 "
    "AS hour, sum(r.orders)::bigint, coalesce(sum(r.revenue_minor) FILTER (WHERE r.currency IN ($4, '', 'XXX')), "
    "0)::bigint, "
    "coalesce(sum(r.refunds_minor) FILTER (WHERE r.currency IN ($4, '', 'XXX')), 0)::bigint, sum(r.events)::bigint "
    "FROM rollup_quarter r WHERE r.tenant_id = $1 AND r.bucket >= $2::timestamptz AND r.bucket < $3::timestamptz AND ";

void add_totals(line_table& into, const pqxx::result& rows) {
  for (const auto& row : rows) {
    const auto hour = row[2].as<std::size_t>();
    into.line("orders", "").at(hour) += row[3].as<std::int64_t>();
    into.line("revenue", "").at(hour) += row[4].as<std::int64_t>();
    into.line("refunds", "").at(hour) += row[5].as<std::int64_t>();
    into.line("events", "").at(hour) += row[6].as<std::int64_t>();
  }
}

void add_segments(line_table& into, const pqxx::result& rows) {
  for (const auto& row : rows) {
    const auto hour = row[2].as<std::size_t>();
    const auto segment = row[0].as<std::string>() + "=" + row[1].as<std::string>();
    into.line("orders", segment).at(hour) += row[3].as<std::int64_t>();
    into.line("revenue", segment).at(hour) += row[4].as<std::int64_t>();
  }
}

void read_lines(pqxx::work& tx, tenant_id tenant, metric_history& out) {
  const auto hours = static_cast<std::size_t>((out.to.value - out.question.from.value) / hour_ms);
  line_table table(hours);
  const auto from = format_time(out.question.from), to = format_time(out.to);
  const pqxx::params range{tenant.value, from, to, out.currency};
  const std::string sums = sums_text;
  add_totals(table, tx.exec(sums + "r.dim = 'total' GROUP BY 1, 2, 3", range));
  for (const auto& row :
       tx.exec(sums + "r.dim = 'name' AND r.value IN (" + failed_names() + ") GROUP BY 1, 2, 3", range))
    table.line("failed_payments", "").at(row[2].as<std::size_t>()) += row[6].as<std::int64_t>();
  for (const auto* dim : {"store", "campaign"})
    add_segments(table,
                 tx.exec(sums + fmt::format("r.dim = '{0}' AND r.value IN (SELECT value FROM rollup_quarter WHERE "
                                            "tenant_id = $1 AND dim = '{0}' AND bucket >= $3::timestamptz - "
                                            "interval '28 days' AND bucket < $3::timestamptz GROUP BY value HAVING "
                                            "sum(orders) > 0 ORDER BY sum(orders) DESC, value LIMIT {1}) "
                                            "GROUP BY 1, 2, 3",
                                            dim, segments_max),
                         range));
  out.question.lines = std::move(table).done();
}

/// The latest settings that took effect; as without any where there are none.
series::watch_config read_config(pqxx::work& tx, tenant_id tenant) {
  const std::string kind(series::detectors_kind);
  const auto live = tx.exec("SELECT hash FROM artifact_version WHERE tenant_id = $1 AND kind = $2 AND live_from IS NOT "
                            "NULL ORDER BY version DESC LIMIT 1",
                            pqxx::params{tenant.value, kind});
  if (live.empty())
    return {};
  auto settings = series::watch_settings::compile(read_version(tx, tenant, kind, live[0][0].as<std::string>()));
  if (!settings)
    throw refused({ec::corrupt, "stored settings of detectors cannot be read: " + settings.err().detail, ""});
  return std::move(settings->config);
}

/// When the incidents of these alerts began.
std::vector<time_ms> read_begins(pqxx::work& tx, tenant_id tenant, const char* which, time_ms since) {
  std::vector<time_ms> out;
  for (const auto& row :
       tx.exec(fmt::format("SELECT (extract(epoch FROM (data->>'occurred_at')::timestamptz) * 1000)::bigint FROM alert "
                           "WHERE tenant_id = $1 AND type = 'metric.anomaly' AND held_reason {} AND created_at > "
                           "$2::timestamptz ORDER BY 1",
                           which),
               pqxx::params{tenant.value, format_time(since)}))
    out.push_back({row[0].as<std::int64_t>()});
  return out;
}

/// True when it is new.
bool insert_alert(pqxx::work& tx, tenant_id tenant, const alert::candidate& a, const std::optional<std::string>& held) {
  return tx.exec("INSERT INTO alert (tenant_id, alert_id, type, severity, title, summary, data, state, held_reason, "
                 "decided_at) VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $8::text IS NULL THEN 'new' ELSE 'held' "
                 "END, $8::text, CASE WHEN $8::text IS NOT NULL THEN now() END) ON CONFLICT DO NOTHING",
                 pqxx::params{tenant.value, a.alert_id.str(), a.type, a.severity, a.title, a.summary, a.data, held})
             .affected_rows() > 0;
}

} // namespace

pg_series_store::pg_series_store(const std::string& url, const std::string& node) :
  writer_(url, role::writer, "pulse-series " + node) {
}

result<void> pg_series_store::claim(tenant_id tenant, std::int64_t seconds) {
  return writer_.run_for(tenant, "claiming a look at metrics", [&](pqxx::work& tx) {
    tx.exec("UPDATE due SET at = now() + make_interval(secs => $2) WHERE tenant_id = $1 AND kind = 'series'",
            pqxx::params{tenant.value, seconds});
  });
}

result<metric_history> pg_series_store::history(tenant_id tenant, time_ms now, int weeks) {
  return writer_.run_for(tenant, "reading metric series", [&](pqxx::work& tx) {
    metric_history out;
    out.to = hour_begin(now);
    auto& q = out.question;
    q.from = {out.to.value - weeks * 7 * day_ms};
    const auto own =
        tx.exec("SELECT coalesce(currency, ''), timezone FROM tenant WHERE tenant_id = $1", pqxx::params{tenant.value});
    if (own.empty())
      throw refused({ec::not_found, fmt::format("there is no tenant {}", tenant.value), ""});
    out.currency = own[0][0].as<std::string>();
    out.config = read_config(tx, tenant);
    const auto first = tx.exec("SELECT (extract(epoch FROM min(bucket)) * 1000)::bigint FROM rollup_quarter WHERE "
                               "tenant_id = $1 AND dim = 'total' AND bucket >= $2::timestamptz",
                               pqxx::params{tenant.value, format_time(q.from)})[0][0];
    if (first.is_null() || first.as<std::int64_t>() >= out.to.value) {
      q.from = out.to;
      return out;
    }
    // What was before the first event was no hour without orders.
    q.from = hour_begin({first.as<std::int64_t>()});
    q.zone = read_zone(tx, own[0][1].as<std::string>(), q.from, out.to);
    const auto mark = tx.exec("SELECT (extract(epoch FROM judged_to) * 1000)::bigint FROM series_watch WHERE "
                              "tenant_id = $1",
                              pqxx::params{tenant.value});
    const auto judged = std::max(mark.empty() ? 0 : mark[0][0].as<std::int64_t>(), out.to.value - day_ms);
    q.fresh = static_cast<std::size_t>(std::max<std::int64_t>(0, judged - q.from.value) / hour_ms);
    q.told = read_begins(tx, tenant, "IS NULL", {now.value - 9 * day_ms});
    q.withheld = read_begins(tx, tenant, "IS NOT NULL", q.from);
    q.judged = read_judged(tx, tenant, {now.value - judged_ms});
    read_lines(tx, tenant, out);
    return out;
  });
}

result<std::int64_t> pg_series_store::conclude(tenant_id tenant, time_ms judged_to, const watch_findings& found,
                                               time_ms next) {
  return writer_.run_for(tenant, "storing what the watch found", [&](pqxx::work& tx) {
    std::int64_t fresh = 0;
    for (const auto& a : found.told)
      fresh += insert_alert(tx, tenant, a, std::nullopt) ? 1 : 0;
    for (const auto& h : found.held)
      insert_alert(tx, tenant, h.alert, h.reason);
    if (fresh > 0)
      make_due(tx, tenant);
    tx.exec("INSERT INTO series_watch (tenant_id, judged_to) VALUES ($1, $2) ON CONFLICT (tenant_id) DO UPDATE SET "
            "judged_to = greatest(series_watch.judged_to, excluded.judged_to)",
            pqxx::params{tenant.value, format_time(judged_to)});
    tx.exec("UPDATE due SET at = $2 WHERE tenant_id = $1 AND kind = 'series'",
            pqxx::params{tenant.value, format_time(next)});
    return fresh;
  });
}

} // namespace pulse::postgres
