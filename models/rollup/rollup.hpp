// Counts what a batch really inserted: additive measures by minute and by quarter of an hour (UTC), the total and one
// dimension each. Pure: rows in, sums out; the store adds the sums to what it has.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "models/event/event.hpp"

namespace pulse::rollup {

/// Names of events that measures look at (Segment's e-commerce specification, v2).
inline constexpr std::string_view order_completed = "Order Completed";
inline constexpr std::string_view order_refunded = "Order Refunded";

/// An event is flagged at this risk or above.
inline constexpr double flagged_score = 90;

struct measures {
  std::int64_t events = 0;
  std::int64_t orders = 0;
  std::int64_t revenue_minor = 0;
  std::int64_t refunds_minor = 0;
  /// Sum of price × quantity in millionths, by product only.
  std::int64_t line_micro = 0;
  std::int64_t anomalies = 0;
  std::int64_t risk_milli = 0;

  /// False when a sum does not fit; it then is at its limit.
  [[nodiscard]] bool add(const measures& m);
  bool operator==(const measures&) const = default;
};

/// Dimension values are cut to this: an index row of the store has at most 2,704 bytes.
inline constexpr std::size_t value_bytes_max = 512;

enum class grain : std::uint8_t { minute, quarter };

struct key {
  tenant_id tenant;
  /// `total`, `store`, `campaign`, `product`, `country`, `device`, `name`.
  std::string_view dim;
  /// Start of the bucket.
  time_ms bucket;
  std::string value;
  std::string currency;

  auto operator<=>(const key&) const = default;
};

/// Risk in thousandths, rounded half away from zero: what is stored and summed.
std::int32_t risk_milli(double score);

/// A score of thousandths is flagged when it is at or over the limit.
bool is_flagged(const event& e);

class batch_sums {
public:
  /// Adds an inserted event; test events are not counted.
  void add(const event& e);

  const std::map<key, measures>& minutes() const {
    return minutes_;
  }

  /// The minutes added up by quarter of an hour.
  std::map<key, measures> quarters() const;

  /// Some sum did not fit: the sums must not be stored.
  bool overflowed() const {
    return overflowed_;
  }

private:
  void add_dim(const event& e, std::string_view dim, const std::string& value, const measures& m);

  std::map<key, measures> minutes_;
  bool overflowed_ = false;
};

} // namespace pulse::rollup
