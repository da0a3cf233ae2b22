#include "models/query/metric.hpp"

#include <array>

#include "base/assert.hpp"
#include "base/time.hpp"

namespace pulse::query {

namespace {

constexpr metric_info metrics[] = {
    {metric::events, "events", "events", "Events that occurred", false, true, true},
    {metric::orders, "orders", "orders", "Order Completed events", false, true, true},
    {metric::revenue, "revenue", "currency",
     "Amounts of Order Completed, gross of refunds; by product, price times quantity of its lines", true, true, true},
    {metric::aov, "aov", "currency", "Revenue divided by orders", true, true, true},
    {metric::refunds, "refunds", "currency", "Amounts of Order Refunded", true, true, false},
    {metric::customers, "customers", "customers", "Distinct customers", false, false, true},
    {metric::sessions, "sessions", "sessions", "Visits: 30 minutes without an event end one", false, false, true},
    {metric::conversion, "conversion", "ratio", "Sessions with an order divided by sessions", false, false, true},
    {metric::anomalies, "anomalies", "events", "Events flagged by their risk", false, true, true},
    {metric::risk_mean, "risk_mean", "points", "Mean risk of the events, 0 to 100", false, true, true},
};

constexpr std::array<std::string_view, 5> granularities = {"minute", "hour", "day", "week", "month"};
constexpr std::array<std::string_view, dimension_count> dimensions = {"store",   "campaign", "product",
                                                                      "country", "device",   "name"};

template <class Enum, std::size_t N>
std::optional<Enum> index_in(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name)
      return static_cast<Enum>(i);
  return std::nullopt;
}

} // namespace

std::span<const metric_info> all_metrics() {
  return metrics;
}

const metric_info& info_of(metric m) {
  const auto& found = metrics[static_cast<std::size_t>(m)];
  PULSE_ASSERT(found.id == m, "metrics stand in the order of their enum");
  return found;
}

const metric_info* find_metric(std::string_view name) {
  for (const auto& m : metrics)
    if (m.name == name)
      return &m;
  return nullptr;
}

std::string_view to_string(granularity g) {
  return granularities[static_cast<std::size_t>(g)];
}

std::optional<granularity> parse_granularity(std::string_view name) {
  return index_in<granularity>(granularities, name);
}

std::int64_t width_ms(granularity g) {
  switch (g) {
    case granularity::minute: return minute_ms;
    case granularity::hour: return hour_ms;
    case granularity::day: return 23 * hour_ms;
    case granularity::week: return 7 * day_ms - hour_ms;
    case granularity::month: return 28 * day_ms - hour_ms;
  }
  return minute_ms;
}

std::string_view to_string(dimension d) {
  return dimensions[static_cast<std::size_t>(d)];
}

std::optional<dimension> parse_dimension(std::string_view name) {
  return index_in<dimension>(dimensions, name);
}

} // namespace pulse::query
