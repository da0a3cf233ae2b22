// See watch_lines.hpp.
#include "models/series/watch_lines.hpp"

#include <algorithm>

#include "models/series/detector.hpp"

namespace pulse::series {

namespace {

/// More of these is bad, less of them is not.
direction side_of(std::string_view metric) {
  return metric == "refunds" || metric == "failed_payments" ? direction::up : direction::both;
}

double sum(const metric_line& line) {
  double out = 0;
  for (auto v : line.values)
    out += static_cast<double>(v);
  return out;
}

/// `orders_min` orders in the line's own unit: money by the mean order of the whole history.
double floor_of(const watch_question& q, const metric_line& line, const watch_config& config) {
  const auto orders = static_cast<double>(config.orders_min);
  if (line.metric != "revenue" && line.metric != "refunds")
    return orders;
  double count = 0, money = 0;
  for (const auto& l : q.lines)
    if (l.segment.empty() && l.metric == "orders")
      count = sum(l);
    else if (l.segment.empty() && l.metric == "revenue")
      money = sum(l);
  return count > 0 ? orders * money / count : 0;
}

metric_watch minded(const watch_config& config, std::string_view metric) {
  const auto own = config.metrics.find(metric);
  return own == config.metrics.end() ? metric_watch{} : own->second;
}

judged_line judge(const watch_question& q, const metric_line& line, const watch_config& config) {
  judged_line out{&line, {}, {}, {}};
  const auto floor = floor_of(q, line, config);
  const auto own = minded(config, line.metric);
  // Most shops are small: what never reaches the floor never alarms, and costs nothing.
  if (!own.on ||
      std::all_of(line.values.begin(), line.values.end(), [&](auto v) { return static_cast<double>(v) < floor; })) {
    out.expected.resize(line.values.size());
    out.strength.resize(line.values.size());
    out.reason.resize(line.values.size());
    return out;
  }
  detector d({.step_ms = hour_ms,
              .sensitivity = config.sensitivity * own.sensitivity,
              .side = own.side.value_or(side_of(line.metric)),
              .floor = floor,
              .zone = q.zone});
  for (std::size_t i = 0; i < line.values.size(); ++i) {
    const auto v = d.next(hour(q, i), static_cast<double>(line.values[i]));
    out.expected.push_back(v.expected);
    out.strength.push_back(v.anomaly && i >= config.hours_min ? d.strength() : 0);
    out.reason.push_back(out.strength.back() > 0 ? d.reason() : std::string_view{});
  }
  return out;
}

} // namespace

std::vector<judged_line> judge_all(const watch_question& q, const watch_config& config) {
  std::vector<judged_line> out;
  for (const auto& line : q.lines)
    out.push_back(judge(q, line, config));
  return out;
}

} // namespace pulse::series
