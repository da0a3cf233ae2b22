// The numbers PulseEcom can tell, and the words of a question about them: metrics, widths of buckets, dimensions. Pure
// declarations; how each is counted stands in postgres/metric_sql.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pulse::query {

enum class metric : std::uint8_t {
  events,
  orders,
  revenue,
  aov,
  refunds,
  customers,
  sessions,
  conversion,
  anomalies,
  risk_mean,
};

/// Narrowest first.
enum class granularity : std::uint8_t { minute, hour, day, week, month };

enum class dimension : std::uint8_t { store, campaign, product, country, device, name };

inline constexpr std::size_t dimension_count = 6;

struct metric_info {
  metric id;
  std::string_view name;
  /// `currency` where the value is money of the tenant's currency.
  std::string_view unit;
  std::string_view description;
  /// The value is a decimal string of the tenant's currency.
  bool money = false;
  /// Adds up, so that rollups answer it; the others are counted from the events.
  bool additive = true;
  /// May be grouped and filtered by product.
  bool by_product = true;
};

std::span<const metric_info> all_metrics();
const metric_info& info_of(metric m);
/// Nothing for a name that is none.
const metric_info* find_metric(std::string_view name);

std::string_view to_string(granularity g);
std::optional<granularity> parse_granularity(std::string_view name);
/// The least milliseconds a bucket can last: to bound their number.
std::int64_t width_ms(granularity g);

/// Also the name of the rollup's `dim`, and of the query parameter.
std::string_view to_string(dimension d);
std::optional<dimension> parse_dimension(std::string_view name);

} // namespace pulse::query
