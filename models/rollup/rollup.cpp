#include "models/rollup/rollup.hpp"

#include <cmath>

namespace pulse::rollup {

namespace {

time_ms floor_to(time_ms t, std::int64_t width) {
  const auto rest = ((t.value % width) + width) % width;
  return {t.value - rest};
}

/// price × quantity in millionths, half-up; both are bounded at parsing so that it fits.
std::int64_t line_value(const order_line& line) {
  __extension__ using int128 = __int128;
  const int128 product = static_cast<int128>(line.price.micro) * line.quantity.micro;
  const int128 half = 500'000;
  return static_cast<std::int64_t>((product >= 0 ? product + half : product - half) / 1'000'000);
}

} // namespace

measures& measures::operator+=(const measures& m) {
  events += m.events;
  orders += m.orders;
  revenue_minor += m.revenue_minor;
  refunds_minor += m.refunds_minor;
  line_micro += m.line_micro;
  anomalies += m.anomalies;
  risk_milli += m.risk_milli;
  return *this;
}

std::int32_t risk_milli(double score) {
  return static_cast<std::int32_t>(std::lround(score * 1000));
}

bool is_flagged(const event& e) {
  return risk_milli(e.risk.score) >= risk_milli(flagged_score);
}

void batch_sums::add_dim(const event& e, std::string_view dim, const std::string& value, const measures& m) {
  const auto unit = e.amount ? e.amount->unit.str() : std::string{};
  minutes_[key{e.tenant, dim, floor_to(e.occurred_at, minute_ms), value, unit}] += m;
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
    lines[line.product_id] += order ? line_value(line) : 0;
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
    out[wide] += m;
  }
  return out;
}

} // namespace pulse::rollup
