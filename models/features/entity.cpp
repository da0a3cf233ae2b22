// See entity.hpp.
#include "models/features/entity.hpp"

#include <algorithm>
#include <cmath>

#include "base/encoding.hpp"
#include "models/event/payment_fields.hpp"

namespace pulse::features {

namespace {

constexpr std::uint32_t customer_fades_at = 1'000;
constexpr std::uint32_t population_fades_at = 200'000;

/// 0 means unknown.
std::uint64_t never_zero(std::uint64_t hash) {
  return hash == 0 ? 1 : hash;
}

std::uint64_t front_of(const key& k) {
  std::uint64_t out = 0;
  std::memcpy(&out, k.data(), sizeof out);
  return never_zero(out);
}

/// FNV-1a, 64 bits: only tells the few values of one customer apart, where a collision costs a reason at worst.
std::uint64_t small_hash(std::initializer_list<std::string_view> parts) {
  std::uint64_t out = 0xcbf29ce484222325ULL;
  for (auto part : parts) {
    for (auto c : part)
      out = (out ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    out = (out ^ 0x100) * 0x100000001b3ULL;
  }
  return never_zero(out);
}

std::int64_t ten_thousandths(const money& m) {
  auto out = m.minor;
  for (auto digits = minor_digits(m.unit); digits < 4; ++digits)
    if (__builtin_mul_overflow(out, std::int64_t{10}, &out))
      return m.minor < 0 ? INT64_MIN / 1024 : INT64_MAX / 1024;
  // A thousand of these still add up without overflow.
  return std::clamp(out, INT64_MIN / 1024, INT64_MAX / 1024);
}

} // namespace

std::span<const window_entry> event_window::last(std::int64_t width_ms, time_ms t) const {
  const auto by_time = [](std::int64_t at, const window_entry& e) {
    return at < e.at.value;
  };
  const auto begin = std::upper_bound(entries_.begin(), entries_.end(), t.value - width_ms, by_time);
  const auto end = std::upper_bound(begin, entries_.end(), t.value, by_time);
  return {begin, end};
}

std::optional<time_ms> event_window::before(time_ms t) const {
  const auto by_time = [](time_ms at, const window_entry& e) {
    return at < e.at;
  };
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), t, by_time);
  if (after != entries_.begin())
    return std::prev(after)->at;
  if (left_ && *left_ <= t)
    return left_;
  return std::nullopt;
}

void event_window::add(const window_entry& e) {
  entries_.insert(std::upper_bound(entries_.begin(), entries_.end(), e), e);
  const auto oldest = newest().value - day_ms - lateness_max_ms;
  std::size_t gone = entries_.size() > window_entries_max ? entries_.size() - window_entries_max : 0;
  while (entries_[gone].at.value <= oldest)
    ++gone;
  if (gone == 0)
    return;
  left_ = std::max(left_.value_or(entries_[gone - 1].at), entries_[gone - 1].at);
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
}

void event_window::write(binary::writer& out) const {
  out.put_varint(entries_.size());
  for (const auto& e : entries_) {
    out.put(e.at.value);
    out.put(e.amount);
    out.put(e.party);
  }
  out.put(static_cast<std::uint8_t>(left_.has_value()));
  if (left_)
    out.put(left_->value);
}

bool event_window::read(binary::reader& in) {
  entries_.resize(in.get_count(24));
  for (auto& e : entries_) {
    e.at = time_ms{in.get<std::int64_t>()};
    e.amount = in.get<std::int64_t>();
    e.party = in.get<std::uint64_t>();
  }
  left_.reset();
  if (in.get<std::uint8_t>() != 0)
    left_ = time_ms{in.get<std::int64_t>()};
  return in.ok() && entries_.size() <= window_entries_max && std::is_sorted(entries_.begin(), entries_.end());
}

namespace {

std::optional<key> named(std::string_view kind, std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(hash_parts({kind, text}));
}

std::optional<key> customer_key(const event& e) {
  return e.customer.empty() ? named("anonymous", e.anonymous_id) : named("customer", e.customer);
}

std::array<std::optional<key>, linked_kinds> other_keys(const event& e, const std::optional<key>& customer,
                                                        const std::optional<key>& ip) {
  return {customer,
          named("card", e.payment.card),
          named("device", e.payment.device),
          ip,
          named("email_domain", domain_of(e.email)),
          named("address", e.payment.address)};
}

} // namespace

std::array<std::optional<key>, linked_kinds> linked_keys(const event& e) {
  return other_keys(e, customer_key(e), named("ip", e.ip));
}

facts facts_of(const event& e) {
  facts out;
  out.at = e.occurred_at;
  const auto in_day = ((e.occurred_at.value % day_ms) + day_ms) % day_ms;
  out.hour = static_cast<int>(in_day / hour_ms);
  if (e.amount) {
    out.amount = ten_thousandths(*e.amount);
    const auto units = static_cast<double>(out.amount) / 1e4;
    out.log_amount = std::copysign(std::log1p(std::abs(units)), units);
  }
  out.same_name = hash_parts({"name", e.name});
  out.customer = customer_key(e);
  out.address = named("ip", e.ip);
  out.party = out.customer ? front_of(*out.customer) : 0;
  out.ip = out.address ? front_of(*out.address) : 0;
  if (!e.country.empty())
    out.country = small_hash({e.country});
  if (!e.device.empty() || !e.browser.empty() || !e.os.empty())
    out.device = small_hash({e.device, e.browser, e.os});
  if (!e.products.empty() && !e.products.front().category.empty())
    out.category = small_hash({e.products.front().category});
  out.declined = e.payment.declined;
  out.is_payment = e.amount.has_value() || out.declined;
  if (!out.is_payment)
    return out;
  out.refund = e.name == "Order Refunded";
  out.coupon = !e.payment.coupon.empty();
  if (!e.payment.ip_country.empty() && !e.country.empty())
    out.ip_abroad = e.payment.ip_country != e.country;
  out.linked = other_keys(e, out.customer, out.address);
  return out;
}

void profile::update(const facts& f) {
  if (window.too_late(f.at))
    return;
  first_seen = window.empty() ? f.at : std::min(first_seen, f.at);
  window.add({f.at, f.amount, 0});
  if (f.log_amount)
    amounts.add(*f.log_amount, customer_fades_at);
  if (f.log_amount && f.category != 0)
    categories.add(f.category, *f.log_amount, customer_fades_at);
  hours.add(f.hour, customer_fades_at);
  if (f.country != 0)
    countries.add(f.country);
  if (f.device != 0)
    devices.add(f.device);
  if (f.ip != 0)
    addresses.add(f.ip);
}

void profile::write(binary::writer& out) const {
  window.write(out);
  amounts.write(out);
  categories.write(out);
  hours.write(out);
  for (const auto* set : {&countries, &devices, &addresses})
    set->write(out);
  out.put(first_seen.value);
}

bool profile::read(binary::reader& in) {
  if (!window.read(in))
    return false;
  amounts.read(in);
  if (!categories.read(in) || !hours.read(in))
    return false;
  for (auto* set : {&countries, &devices, &addresses})
    if (!set->read(in))
      return false;
  first_seen = time_ms{in.get<std::int64_t>()};
  return in.ok();
}

void address::update(const facts& f) {
  if (!window.too_late(f.at))
    window.add({f.at, f.amount, f.party});
}

void address::write(binary::writer& out) const {
  window.write(out);
}

bool address::read(binary::reader& in) {
  return window.read(in);
}

void population::update(const facts& f) {
  if (f.log_amount)
    amounts.add(*f.log_amount, population_fades_at);
  hours.add(f.hour, population_fades_at);
}

void population::write(binary::writer& out) const {
  amounts.write(out);
  hours.write(out);
}

bool population::read(binary::reader& in) {
  amounts.read(in);
  return hours.read(in);
}

} // namespace pulse::features
