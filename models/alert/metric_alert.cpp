// See metric_alert.hpp.
#include "models/alert/metric_alert.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace pulse::alert {

namespace {

constexpr std::string_view kind = "metric.anomaly";
/// From a loss of so much on, or a gain of so much, an incident is critical.
constexpr double critical_share = 0.5;

bool is_money(std::string_view metric) {
  return metric == "revenue" || metric == "refunds";
}

/// `failed payments`, of `store=12` where it is a segment's.
std::string name_of(const series::moved& m) {
  auto out = m.metric;
  std::replace(out.begin(), out.end(), '_', ' ');
  return m.segment.empty() ? out : out + " of " + m.segment;
}

std::string amount(const std::string& metric, std::int64_t v, currency unit) {
  if (!is_money(metric))
    return std::to_string(v);
  const auto text = money{v, unit}.amount();
  return unit.empty() ? text : text + " " + unit.str();
}

/// Counts as numbers, money as a decimal string: as the metrics' answers have them.
nlohmann::ordered_json json_value(const std::string& metric, std::int64_t v, currency unit) {
  if (is_money(metric))
    return money{v, unit}.amount();
  return v;
}

std::string period(const series::finding& f, const std::vector<series::zone_offset>& zone) {
  const auto text = [&](time_ms t) {
    return format_time(series::to_local(t, zone));
  };
  const auto begin = text(f.first), end = text({f.last.value + hour_ms});
  return fmt::format("{} {} to {}", begin.substr(0, 10), begin.substr(11, 5), end.substr(11, 5));
}

nlohmann::ordered_json reasons_of(const series::finding& f, currency unit) {
  auto out = nlohmann::ordered_json::array();
  const auto& metric = f.what.front().metric;
  for (const auto& d : f.parts.drivers)
    out.push_back({{"name", d.segment},
                   {"value", json_value(metric, d.actual, unit)},
                   {"typical", json_value(metric, d.expected, unit)},
                   {"contribution", json_value(metric, d.change, unit)}});
  if (f.parts.rest != 0 || out.empty())
    out.push_back({{"name", "everything else"},
                   {"value", nullptr},
                   {"typical", nullptr},
                   {"contribution", json_value(metric, f.parts.rest, unit)}});
  return out;
}

std::string summary_of(const series::finding& f, currency unit) {
  auto out = f.reason;
  if (f.parts.broad)
    out += "; all segments moved alike";
  else if (!f.parts.drivers.empty() && f.what.front().segment.empty()) {
    const auto& d = f.parts.drivers.front();
    out += fmt::format("; most of it by {} ({} where {} were expected)", d.segment,
                       amount(f.what.front().metric, d.actual, unit), amount(f.what.front().metric, d.expected, unit));
  }
  for (std::size_t i = 1; i < f.what.size() && i < 4; ++i)
    out += fmt::format("; {} {}, expected {}", name_of(f.what[i]), amount(f.what[i].metric, f.what[i].value, unit),
                       amount(f.what[i].metric, f.what[i].expected, unit));
  return out;
}

std::string_view side_name(const series::incident_line& line) {
  return line.up ? "up" : "down";
}

} // namespace

candidate metric_candidate(tenant_id tenant, const series::finding& found, currency unit,
                           const std::vector<series::zone_offset>& zone) {
  const auto& main = found.what.front();
  candidate c;
  c.type = kind;
  c.alert_id = alert_id(tenant, "series/" + format_time(found.first), kind);
  const auto change = std::abs(static_cast<double>(main.value - main.expected));
  c.severity = change >= critical_share * std::abs(static_cast<double>(main.expected)) ? "critical" : "warning";
  c.title = fmt::format("{}: {} {}, expected about {}", period(found, zone), name_of(main),
                        amount(main.metric, main.value, unit), amount(main.metric, main.expected, unit));
  c.summary = summary_of(found, unit);
  nlohmann::ordered_json d;
  d["alert_id"] = c.alert_id.str();
  d["tenant"] = std::to_string(tenant.value);
  d["incident_id"] = nullptr;
  d["severity"] = c.severity;
  d["title"] = c.title;
  d["summary"] = c.summary;
  d["occurred_at"] = format_time(found.first);
  d["until"] = format_time({found.last.value + hour_ms});
  d["metric"] = main.metric;
  d["segment"] = main.segment.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(main.segment);
  d["value"] = json_value(main.metric, main.value, unit);
  d["expected"] = json_value(main.metric, main.expected, unit);
  d["direction"] = side_name(series::line_of(found));
  d["strength"] = std::round(1000 * series::strength_of(found)) / 1000;
  d["weight"] = std::round(1000 * series::weight_of(found)) / 1000;
  d["currency"] = is_money(main.metric) ? nlohmann::ordered_json(unit.str()) : nlohmann::ordered_json(nullptr);
  d["reasons"] = reasons_of(found, unit);
  auto also = nlohmann::ordered_json::array();
  for (std::size_t i = 1; i < found.what.size(); ++i)
    also.push_back({{"metric", found.what[i].metric},
                    {"segment", found.what[i].segment},
                    {"value", json_value(found.what[i].metric, found.what[i].value, unit)},
                    {"expected", json_value(found.what[i].metric, found.what[i].expected, unit)}});
  d["also"] = std::move(also);
  c.data = d.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return c;
}

std::string held_reason(const series::withheld_finding& w) {
  const auto line = series::line_of(w.what);
  return fmt::format(
      "feedback: the like ({}, {}) was called a false alarm on {}; it is told from weight {:.2f} on, this "
      "one has {:.2f}",
      name_of(w.what.what.front()), side_name(line), format_time(w.bar.said).substr(0, 10), w.bar.needed,
      series::weight_of(w.what));
}

} // namespace pulse::alert
