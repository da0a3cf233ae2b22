#include "models/rollup/rollup.hpp"

#include <cmath>
#include <limits>

#include "models/event/standard_fields.hpp"

namespace pulse::rollup {

namespace {

time_ms floor_to(time_ms t, std::int64_t width) {
  const auto rest = ((t.value % width) + width) % width;
  return {t.value - rest};
}

__extension__ using int128 = __int128;

/// price × quantity in millionths, half-up.
int128 line_value(const order_line& line) {
  const int128 product = static_cast<int128>(line.price.micro) * line.quantity.micro;
  const int128 half = 500'000;
  return (product >= 0 ? product + half : product - half) / 1'000'000;
}

bool add_to(std::int64_t& sum, int128 value) {
  using limits = std::numeric_limits<std::int64_t>;
  const int128 wide = sum + value;
  sum = wide > limits::max() ? limits::max() : wide < limits::min() ? limits::min() : static_cast<std::int64_t>(wide);
  return sum == wide;
}

} // namespace

bool measures::add(const measures& m) {
  bool fits = true;
  for (const auto field : {&measures::events, &measures::orders, &measures::revenue_minor, &measures::refunds_minor,
                           &measures::line_micro, &measures::anomalies, &measures::risk_milli})
    fits &= add_to(this->*field, m.*field);
  return fits;
}

std::int32_t risk_milli(double score) {
  return static_cast<std::int32_t>(std::lround(score * 1000));
}

bool is_flagged(const event& e) {
  return risk_milli(e.risk.score) >= risk_milli(flagged_score);
}

void batch_sums::add_dim(const event& e, std::string_view dim, const std::string& value, const measures& m) {
  const auto unit = e.amount ? e.amount->unit.str() : std::string{};
  const key k{e.tenant, dim, floor_to(e.occurred_at, minute_ms), std::string(cut_utf8(value, value_bytes_max)), unit};
  overflowed_ |= !minutes_[k].add(m);
}

void batch_sums::add(const event& e) {
  if (e.test)
    return;
  measures m;
  m.events = 1;
  m.anomalies = is_flagged(e) ? 1 : 0;
  m.risk_milli = risk_milli(e.risk.score);
  const bool order = e.name == order_completed;
  if (order) {
    m.orders = 1;
    m.revenue_minor = e.amount ? e.amount->minor : 0;
  } else if (e.name == order_refunded) {
    m.refunds_minor = e.amount ? e.amount->minor : 0;
  }
  add_dim(e, "total", "", m);
  add_dim(e, "name", e.name, m);
  if (!e.store.empty())
    add_dim(e, "store", e.store, m);
  if (!e.campaign.empty())
    add_dim(e, "campaign", e.campaign, m);
  if (!e.country.empty())
    add_dim(e, "country", e.country, m);
  if (!e.device.empty())
    add_dim(e, "device", e.device, m);
  // An event counts once a product, however many lines name it.
  std::map<std::string, std::int64_t> lines;
  for (const auto& line : e.products)
    overflowed_ |= !add_to(lines[line.product_id], order ? line_value(line) : 0);
  for (const auto& [product, value] : lines) {
    auto by_product = m;
    by_product.revenue_minor = by_product.refunds_minor = 0;
    by_product.line_micro = value;
    add_dim(e, "product", product, by_product);
  }
}

std::map<key, measures> batch_sums::quarters() const {
  std::map<key, measures> out;
  for (const auto& [k, m] : minutes_) {
    auto wide = k;
    wide.bucket = floor_to(k.bucket, 15 * minute_ms);
    // What does not fit here is refused by the store, whose sums are larger still.
    (void)out[wide].add(m);
  }
  return out;
}

} // namespace pulse::rollup
