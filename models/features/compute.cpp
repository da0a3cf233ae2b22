// The features of an event against what was known before it; see features.hpp.
#include <algorithm>
#include <cmath>
#include <limits>

#include "models/features/features.hpp"

namespace pulse::features {

namespace {

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

/// Different values of a member over the entries and this one; unknown ones do not count.
double different(std::span<const linked_entry> entries, const linked_entry& own, std::uint32_t linked_entry::*member) {
  std::vector<std::uint32_t> values{own.*member};
  for (const auto& e : entries)
    values.push_back(e.*member);
  std::sort(values.begin(), values.end());
  const auto end = std::unique(values.begin(), values.end());
  return std::log1p(static_cast<double>(end - values.begin() - (values.front() == 0 ? 1 : 0)));
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
    out[8] = seconds_log(*last, f.at, last_max_ms);
  out[9] = seconds_log(p.first_seen, f.at, age_max_ms);
  out[10] = is_new(f.country, p.countries);
  out[11] = is_new(f.device, p.devices);
  out[12] = is_new(f.ip, p.addresses);
}

/// Weights of the tenant's share of frauds in an entity's, in payments: domains are shared by strangers.
constexpr double lift_shrinkage = 5;
constexpr double domain_lift_shrinkage = 50;

double declined_of(const linked& l, const linked_entry& own) {
  double out = (own.kind & linked_entry::is_declined) != 0 ? 1 : 0;
  for (const auto& e : l.last(hour_ms, own.at))
    out += (e.kind & linked_entry::is_declined) != 0 ? 1 : 0;
  return out;
}

/// The features of one entity of a payment, in the order of `all`; `at` is null where the event names none.
struct payment_view {
  const facts& f;
  const history& before;
  linked_entry own;

  const linked* at(linked_kind kind) const {
    static const linked nothing;
    const auto i = static_cast<std::size_t>(kind);
    if (!f.linked[i])
      return nullptr;
    const auto* found = before.links.of[i] == nullptr ? &nothing : before.links.of[i];
    return found->too_late(f.at) ? nullptr : found;
  }
};

void fill_card(const payment_view& p, std::array<double, count>& out) {
  const auto* card = p.at(linked_kind::card);
  if (card == nullptr)
    return;
  const auto day = card->last(day_ms, p.f.at);
  out[17] = std::log1p(static_cast<double>(card->last(hour_ms, p.f.at).size() + 1));
  out[18] = std::log1p(static_cast<double>(day.size() + 1));
  auto sum = static_cast<double>(p.f.amount);
  for (const auto& e : day)
    sum += static_cast<double>(e.amount);
  out[19] = signed_log(sum / 1e4);
  out[20] = different(day, p.own, &linked_entry::customer);
}

void fill_device(const payment_view& p, std::array<double, count>& out) {
  const auto* device = p.at(linked_kind::device);
  if (device == nullptr)
    return;
  const auto day = device->last(day_ms, p.f.at);
  out[21] = std::log1p(static_cast<double>(day.size() + 1));
  if (p.own.card != 0)
    out[22] = different(day, p.own, &linked_entry::card);
  out[23] = different(day, p.own, &linked_entry::customer);
  out[24] = std::log1p(static_cast<double>(device->week(p.f.at).coupons + (p.f.coupon ? 1 : 0)));
}

void fill_buyer(const payment_view& p, std::array<double, count>& out) {
  const auto* customer = p.at(linked_kind::customer);
  if (customer == nullptr)
    return;
  const auto day = customer->last(day_ms, p.f.at);
  if (p.own.card != 0)
    out[28] = different(day, p.own, &linked_entry::card);
  if (p.own.device != 0)
    out[29] = different(day, p.own, &linked_entry::device);
  const auto week = customer->week(p.f.at);
  out[30] = std::log1p(static_cast<double>(week.payments + 1));
  out[31] = std::log1p(static_cast<double>(week.refunds + (p.f.refund ? 1 : 0)));
}

void fill_lifts(const payment_view& p, std::array<double, count>& out) {
  const auto lift = [&](linked_kind kind, double weight) {
    const auto i = static_cast<std::size_t>(kind);
    const auto* entity = p.before.links.of[i];
    if (!p.f.linked[i] || (entity != nullptr && entity->too_late(p.f.at)))
      return missing;
    return fraud_lift(entity, p.before.links.tenant, p.f.at, weight);
  };
  for (auto kind :
       {linked_kind::customer, linked_kind::card, linked_kind::device, linked_kind::ip, linked_kind::address})
    if (const auto x = lift(kind, lift_shrinkage); !(out[33] >= x))
      out[33] = std::isnan(x) ? out[33] : x;
  out[34] = lift(linked_kind::email_domain, domain_lift_shrinkage);
}

void fill_payment(const facts& f, const history& before, std::array<double, count>& out) {
  const payment_view p{f, before, entry_of(f)};
  fill_card(p, out);
  fill_device(p, out);
  if (const auto* ip = p.at(linked_kind::ip); ip != nullptr && p.own.card != 0)
    out[25] = different(ip->last(day_ms, f.at), p.own, &linked_entry::card);
  if (const auto* address = p.at(linked_kind::address); address != nullptr)
    out[26] = different(address->last(day_ms, f.at), p.own, &linked_entry::customer);
  if (const auto* domain = p.at(linked_kind::email_domain); domain != nullptr)
    out[27] = std::log1p(static_cast<double>(domain->last(hour_ms, f.at).size() + 1));
  fill_buyer(p, out);
  for (auto kind : {linked_kind::customer, linked_kind::card, linked_kind::device})
    if (const auto* l = p.at(kind); l != nullptr)
      if (const auto n = std::log1p(declined_of(*l, p.own)); !(out[32] >= n))
        out[32] = n;
  fill_lifts(p, out);
  if (f.ip_abroad)
    out[35] = *f.ip_abroad ? 1 : 0;
  out[36] = f.hour;
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
    out[13] = hour_rarity(f, before);
  static const address nowhere;
  const auto& ip = before.ip != nullptr ? *before.ip : nowhere;
  if (f.ip != 0 && !ip.window.too_late(f.at)) {
    out[14] = events_of(ip.window.last(hour_ms, f.at));
    out[15] = parties_of(ip.window.last(day_ms, f.at), f.party);
  }
  if (f.category != 0 && before.customer != nullptr)
    out[16] = before.customer->categories.empty() || before.customer->categories.find(f.category) != nullptr ? 0 : 1;
  if (f.is_payment)
    fill_payment(f, before, out);
  row as_stored;
  std::transform(out.begin(), out.end(), as_stored.begin(), [](double x) { return static_cast<float>(x); });
  return as_stored;
}

} // namespace pulse::features
