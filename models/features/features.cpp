// See features.hpp.
#include "models/features/features.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace pulse::features {

namespace {

enum class scale { plain, logarithm, flag, rarity, deviations };

struct description {
  const char* name;
  const char* text;
  scale unit;
};

/// The order of `compute`.
constexpr std::array<description, count> all{{
    {"amount_vs_customer", "amount against this customer's usual one", scale::deviations},
    {"amount_vs_tenant", "amount against the usual one of such events", scale::deviations},
    {"amount_vs_category", "amount against this customer's usual one in the category", scale::deviations},
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
    {"hour_rarity", "share of the customer's events at this hour of day", scale::rarity},
    {"ip_events_1h", "events from this address in 1 h", scale::logarithm},
    {"ip_customers_24h", "customers from this address in 24 h", scale::logarithm},
}};

constexpr auto missing = std::numeric_limits<double>::quiet_NaN();
/// Weights of the tenant's values in a customer's, in events.
constexpr double amount_shrinkage = 3;
constexpr double hour_shrinkage = 10;
constexpr double harmless_deviation = -1;
constexpr std::int64_t last_max_ms = day_ms;
constexpr std::int64_t age_max_ms = 30 * day_ms;
/// Deviations smaller than this (5 % of the amount) are taken for it.
constexpr double deviation_min = 0.05;

double signed_log(double x) {
  return std::copysign(std::log1p(std::abs(x)), x);
}

struct usual_amount {
  double mean = 0;
  double variance = 0;

  double deviations(double log_amount) const {
    return std::max(harmless_deviation, (log_amount - mean) / std::max(std::sqrt(variance), deviation_min));
  }
};

usual_amount shrunk(const amount_stats& own, const usual_amount& to) {
  const auto weight = own.n + amount_shrinkage;
  return {(own.n * own.mean() + amount_shrinkage * to.mean) / weight,
          (own.n * own.variance() + amount_shrinkage * to.variance) / weight};
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

double seconds_log(time_ms from, time_ms to, std::int64_t ms_max) {
  return std::log1p(static_cast<double>(std::clamp<std::int64_t>(to.value - from.value, 0, ms_max)) / second_ms);
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
  if (!f.log_amount || h.same_name == nullptr || h.same_name->amounts.n < 2)
    return;
  const auto tenant = usual_amount{h.same_name->amounts.mean(), h.same_name->amounts.variance()};
  out[1] = tenant.deviations(*f.log_amount);
  if (f.party == 0)
    return;
  const auto customer = shrunk(h.customer == nullptr ? amount_stats{} : h.customer->amounts, tenant);
  out[0] = customer.deviations(*f.log_amount);
  if (f.category == 0)
    return;
  const auto* own = h.customer == nullptr ? nullptr : h.customer->categories.find(f.category);
  out[2] = shrunk(own == nullptr ? amount_stats{} : *own, customer).deviations(*f.log_amount);
}

/// ln(1 + amount) of the usual event of this name; nothing below it is worth telling apart.
double floor_of_sums(const history& h) {
  return h.same_name == nullptr || h.same_name->amounts.n < 2 ? -INFINITY : h.same_name->amounts.mean();
}

void fill_customer(const facts& f, const profile& p, double floor, std::array<double, count>& out) {
  if (!p.window.too_late(f.at)) {
    const auto hour = p.window.last(hour_ms, f.at);
    const auto day = p.window.last(day_ms, f.at);
    out[4] = events_of(hour);
    out[5] = events_of(day);
    out[6] = std::max(floor, amount_of(hour, f.amount));
    out[7] = std::max(floor, amount_of(day, f.amount));
  }
  if (const auto last = p.window.before(f.at))
    out[8] = seconds_log(*last, f.at, last_max_ms);
  out[9] = seconds_log(p.first_seen, f.at, age_max_ms);
  out[10] = is_new(f.country, p.countries);
  out[11] = is_new(f.device, p.devices);
  out[12] = is_new(f.ip, p.addresses);
}

double hour_rarity(const facts& f, const history& h) {
  const auto hour = static_cast<std::size_t>(f.hour);
  const auto& tenant = h.tenant->hours;
  const auto usual = (tenant.count[hour] + 1.0) / (tenant.total + 24.0);
  const double own = h.customer == nullptr ? 0 : h.customer->hours.count[hour];
  const double total = h.customer == nullptr ? 0 : h.customer->hours.total;
  return std::max(0.0, -std::log(24 * (own + hour_shrinkage * usual) / (total + hour_shrinkage)));
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
    fill_customer(f, before.customer != nullptr ? *before.customer : nobody, floor_of_sums(before), out);
  if (f.party != 0 && before.customer == nullptr)
    out[9] = 0;
  if (before.tenant != nullptr)
    out[13] = hour_rarity(f, before);
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
  if (all[feature].unit == scale::rarity)
    return std::exp(-value);
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
    case scale::rarity: return fmt::format("{}: {:.2f} of an even spread (usually {:.2f})", d.text, v, t);
    case scale::deviations: return fmt::format("{}: {:+.1f} deviations (usually {:+.1f})", d.text, v, t);
    case scale::logarithm:
    case scale::plain: break;
  }
  return fmt::format("{}: {:.6g} (usually {:.6g})", d.text, v, t);
}

} // namespace pulse::features
