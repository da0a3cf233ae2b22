// See features.hpp.
#include "models/features/features.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace pulse::features {

namespace {

enum class scale { plain, logarithm, flag, share, deviations };

struct description {
  const char* name;
  const char* text;
  scale unit;
};

/// The order of `compute`.
constexpr std::array<description, count> all{{
    {"amount", "amount", scale::logarithm},
    {"amount_vs_customer", "amount against this customer's usual one", scale::deviations},
    {"amount_vs_tenant", "amount against the usual one of such events", scale::deviations},
    {"items", "items", scale::logarithm},
    {"customer_events_1h", "customer's events in 1 h", scale::logarithm},
    {"customer_events_24h", "customer's events in 24 h", scale::logarithm},
    {"customer_amount_1h", "customer's amount in 1 h", scale::logarithm},
    {"customer_amount_24h", "customer's amount in 24 h", scale::logarithm},
    {"seconds_since_last", "seconds since the customer's last event", scale::logarithm},
    {"customer_age", "seconds since the customer was first seen", scale::logarithm},
    {"new_country", "country new for this customer", scale::flag},
    {"new_device", "device new for this customer", scale::flag},
    {"new_ip", "address new for this customer", scale::flag},
    {"hour_share", "share of the customer's events at this hour of day", scale::share},
    {"ip_events_1h", "events from this address in 1 h", scale::logarithm},
    {"ip_customers_24h", "customers from this address in 24 h", scale::logarithm},
}};

constexpr auto missing = std::numeric_limits<double>::quiet_NaN();
/// Weights of the tenant's values in a customer's, in events.
constexpr double amount_shrinkage = 3;
constexpr double hour_shrinkage = 10;
/// Deviations smaller than this (5 % of the amount) are taken for it.
constexpr double deviation_min = 0.05;

double signed_log(double x) {
  return std::copysign(std::log1p(std::abs(x)), x);
}

double against(double log_amount, double mean, double variance) {
  return (log_amount - mean) / std::max(std::sqrt(variance), deviation_min);
}

double amount_of(std::span<const window_entry> entries, std::int64_t own) {
  // Integers up to 2^53 are exact in a double; beyond, the order of entries (by time) keeps the sum the same.
  auto sum = static_cast<double>(own);
  for (const auto& e : entries)
    sum += static_cast<double>(e.amount);
  return signed_log(sum / 1e4);
}

double events_of(std::span<const window_entry> entries) {
  return std::log1p(static_cast<double>(entries.size() + 1));
}

double parties_of(std::span<const window_entry> entries, std::uint64_t own) {
  std::vector<std::uint64_t> parties{own};
  for (const auto& e : entries)
    parties.push_back(e.party);
  std::sort(parties.begin(), parties.end());
  return std::log1p(static_cast<double>(std::unique(parties.begin(), parties.end()) - parties.begin()));
}

double seconds_log(time_ms from, time_ms to) {
  return std::log1p(static_cast<double>(std::max<std::int64_t>(0, to.value - from.value)) / second_ms);
}

double is_new(std::uint64_t hash, const recent_set& known) {
  return hash == 0 ? missing : !known.empty() && !known.contains(hash) ? 1 : 0;
}

double items_of(const event& e) {
  if (e.products.empty())
    return missing;
  double sum = 0;
  for (const auto& line : e.products)
    sum += static_cast<double>(line.quantity.micro) / 1e6;
  return signed_log(sum);
}

void fill_amounts(const facts& f, const history& h, std::array<double, count>& out) {
  if (!f.log_amount)
    return;
  out[0] = *f.log_amount;
  if (h.same_name == nullptr || h.same_name->amounts.n < 2)
    return;
  const auto& usual = h.same_name->amounts;
  out[2] = against(*f.log_amount, usual.mean(), usual.variance());
  if (f.party == 0)
    return;
  const auto own = h.customer == nullptr ? amount_stats{} : h.customer->amounts;
  const auto weight = own.n + amount_shrinkage;
  const auto mean = (own.n * own.mean() + amount_shrinkage * usual.mean()) / weight;
  const auto variance = (own.n * own.variance() + amount_shrinkage * usual.variance()) / weight;
  out[1] = against(*f.log_amount, mean, variance);
}

void fill_customer(const facts& f, const profile& p, std::array<double, count>& out) {
  if (!p.window.too_late(f.at)) {
    const auto hour = p.window.last(hour_ms, f.at);
    const auto day = p.window.last(day_ms, f.at);
    out[4] = events_of(hour);
    out[5] = events_of(day);
    out[6] = amount_of(hour, f.amount);
    out[7] = amount_of(day, f.amount);
  }
  if (const auto last = p.window.before(f.at))
    out[8] = seconds_log(*last, f.at);
  out[9] = seconds_log(p.first_seen, f.at);
  out[10] = is_new(f.country, p.countries);
  out[11] = is_new(f.device, p.devices);
  out[12] = is_new(f.ip, p.addresses);
}

double hour_share(const facts& f, const history& h) {
  const auto hour = static_cast<std::size_t>(f.hour);
  const auto usual =
      h.tenant->hours.total == 0 ? 1.0 / 24 : (h.tenant->hours.count[hour] + 1.0) / (h.tenant->hours.total + 24.0);
  const double own = h.customer == nullptr ? 0 : h.customer->hours.count[hour];
  const double total = h.customer == nullptr ? 0 : h.customer->hours.total;
  return (own + hour_shrinkage * usual) / (total + hour_shrinkage);
}

} // namespace

const std::vector<std::string>& names() {
  static const auto out = [] {
    std::vector<std::string> list;
    for (const auto& d : all)
      list.emplace_back(d.name);
    return list;
  }();
  return out;
}

row compute(const event& e, const facts& f, const history& before) {
  std::array<double, count> out;
  out.fill(missing);
  fill_amounts(f, before, out);
  out[3] = items_of(e);
  // A customer nobody has seen is one without a past, not one of whom nothing is known.
  static const profile nobody;
  if (f.party != 0)
    fill_customer(f, before.customer != nullptr ? *before.customer : nobody, out);
  if (f.party != 0 && before.customer == nullptr)
    out[9] = 0;
  if (before.tenant != nullptr)
    out[13] = hour_share(f, before);
  static const address nowhere;
  const auto& ip = before.ip != nullptr ? *before.ip : nowhere;
  if (f.ip != 0 && !ip.window.too_late(f.at)) {
    out[14] = events_of(ip.window.last(hour_ms, f.at));
    out[15] = parties_of(ip.window.last(day_ms, f.at), f.party);
  }
  row as_stored;
  std::transform(out.begin(), out.end(), as_stored.begin(), [](double x) { return static_cast<float>(x); });
  return as_stored;
}

double natural(std::size_t feature, double value) {
  if (all[feature].unit != scale::logarithm)
    return value;
  return std::copysign(std::expm1(std::abs(value)), value);
}

std::string describe(std::size_t feature, double value, double typical) {
  const auto& d = all[feature];
  if (std::isnan(value))
    return fmt::format("{}: not known", d.text);
  const auto v = natural(feature, value), t = natural(feature, typical);
  switch (d.unit) {
    case scale::flag: return fmt::format("{}: {}", d.text, value > 0.5 ? "yes" : "no");
    case scale::share: return fmt::format("{}: {:.1f} % (usually {:.1f} %)", d.text, 100 * v, 100 * t);
    case scale::deviations: return fmt::format("{}: {:+.1f} deviations (usually {:+.1f})", d.text, v, t);
    case scale::logarithm:
    case scale::plain: break;
  }
  return fmt::format("{}: {:.6g} (usually {:.6g})", d.text, v, t);
}

} // namespace pulse::features
