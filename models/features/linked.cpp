// See linked.hpp.
#include "models/features/linked.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pulse::features {

namespace {

constexpr std::int64_t week_hours = linked_days * 24;

std::int64_t hour_of(time_ms t) {
  return t.value / hour_ms - (t.value % hour_ms < 0 ? 1 : 0);
}

std::uint32_t short_hash(const std::optional<key>& k) {
  if (!k)
    return 0;
  std::uint32_t out = 0;
  std::memcpy(&out, k->data(), sizeof out);
  return out == 0 ? 1 : out;
}

} // namespace

linked_entry entry_of(const facts& f) {
  linked_entry out{f.at, f.amount, 0, 0, 0, 0};
  out.customer = short_hash(f.linked[static_cast<std::size_t>(linked_kind::customer)]);
  out.card = short_hash(f.linked[static_cast<std::size_t>(linked_kind::card)]);
  out.device = short_hash(f.linked[static_cast<std::size_t>(linked_kind::device)]);
  out.kind =
      static_cast<std::uint8_t>((f.declined ? linked_entry::is_declined : 0) |
                                (f.refund ? linked_entry::is_refund : 0) | (f.coupon ? linked_entry::has_coupon : 0));
  return out;
}

void linked_hour::add(const linked_entry& e) {
  ++payments;
  declined += (e.kind & linked_entry::is_declined) != 0 ? 1 : 0;
  refunds += (e.kind & linked_entry::is_refund) != 0 ? 1 : 0;
  coupons += (e.kind & linked_entry::has_coupon) != 0 ? 1 : 0;
}

std::span<const linked_entry> linked::last(std::int64_t width_ms, time_ms t) const {
  const auto later = [](std::int64_t at, const linked_entry& e) {
    return at < e.at.value;
  };
  const auto begin = std::upper_bound(entries_.begin(), entries_.end(), t.value - width_ms, later);
  const auto end = std::upper_bound(begin, entries_.end(), t.value, later);
  return {begin, end};
}

linked_hour linked::week(time_ms t) const {
  linked_hour out;
  out.hour = hour_of(t);
  for (const auto& h : hours_) {
    if (h.hour <= out.hour - week_hours || h.hour > out.hour)
      continue;
    out.payments += h.payments;
    out.declined += h.declined;
    out.refunds += h.refunds;
    out.coupons += h.coupons;
  }
  return out;
}

std::int64_t linked::mature(time_ms t) const {
  auto out = payments_;
  for (const auto& h : hours_)
    if (h.hour > hour_of(t) - week_hours)
      out -= h.payments;
  return out;
}

void linked::update(const facts& f) {
  if (too_late(f.at))
    return;
  const auto e = entry_of(f);
  newest_ = std::max(newest_, f.at);
  ++payments_;
  entries_.insert(std::upper_bound(entries_.begin(), entries_.end(), e), e);
  add_hour(e);
  forget();
}

void linked::add_hour(const linked_entry& e) {
  const auto hour = hour_of(e.at);
  auto place = std::lower_bound(hours_.begin(), hours_.end(), hour,
                                [](const linked_hour& h, std::int64_t at) { return h.hour < at; });
  if (place == hours_.end() || place->hour != hour)
    place = hours_.insert(place, linked_hour{hour, 0, 0, 0, 0});
  place->add(e);
}

void linked::forget() {
  const auto oldest = newest_.value - day_ms - lateness_max_ms;
  std::size_t gone = entries_.size() > linked_entries_max ? entries_.size() - linked_entries_max : 0;
  while (gone < entries_.size() && entries_[gone].at.value <= oldest)
    ++gone;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(gone));
  const auto first = hour_of(newest_) - week_hours - lateness_max_ms / hour_ms;
  const auto kept = std::find_if(hours_.begin(), hours_.end(), [&](const linked_hour& h) { return h.hour > first; });
  hours_.erase(hours_.begin(), kept);
}

void linked::write(binary::writer& out) const {
  out.put(newest_.value);
  out.put(payments_);
  out.put(frauds_);
  out.put_varint(entries_.size());
  for (const auto& e : entries_) {
    out.put(e.at.value);
    out.put(e.amount);
    out.put(e.customer);
    out.put(e.card);
    out.put(e.device);
    out.put(e.kind);
  }
  out.put_varint(hours_.size());
  for (const auto& h : hours_) {
    out.put(h.hour);
    for (auto n : {h.payments, h.declined, h.refunds, h.coupons})
      out.put_varint(n);
  }
}

bool linked::read(binary::reader& in) {
  newest_ = time_ms{in.get<std::int64_t>()};
  payments_ = in.get<std::int64_t>();
  frauds_ = in.get<std::int64_t>();
  entries_.resize(in.get_count(29));
  for (auto& e : entries_) {
    e.at = time_ms{in.get<std::int64_t>()};
    e.amount = in.get<std::int64_t>();
    e.customer = in.get<std::uint32_t>();
    e.card = in.get<std::uint32_t>();
    e.device = in.get<std::uint32_t>();
    e.kind = in.get<std::uint8_t>();
  }
  hours_.resize(in.get_count(12));
  for (auto& h : hours_) {
    h.hour = in.get<std::int64_t>();
    for (auto* n : {&h.payments, &h.declined, &h.refunds, &h.coupons})
      *n = static_cast<std::uint32_t>(in.get_varint());
  }
  const auto by_hour = [](const linked_hour& a, const linked_hour& b) {
    return a.hour < b.hour;
  };
  return in.ok() && entries_.size() <= linked_entries_max && std::is_sorted(entries_.begin(), entries_.end()) &&
         std::is_sorted(hours_.begin(), hours_.end(), by_hour);
}

double fraud_lift(const linked* entity, const linked* tenant, time_ms t, double weight) {
  if (tenant == nullptr || tenant->frauds() <= 0 || tenant->too_late(t))
    return std::numeric_limits<double>::quiet_NaN();
  const auto share = [](double frauds, double mature) {
    return std::max(frauds, 0.0) / std::max(mature, 1.0);
  };
  const auto all_frauds = static_cast<double>(tenant->frauds());
  const auto all = std::min(1.0, share(all_frauds, std::max(static_cast<double>(tenant->mature(t)), all_frauds)));
  if (entity == nullptr)
    return 0;
  const auto frauds = static_cast<double>(std::max<std::int64_t>(entity->frauds(), 0));
  const auto mature = std::max(static_cast<double>(entity->mature(t)), frauds);
  return std::max(0.0, std::log((frauds + weight * all) / (mature + weight) / all));
}

} // namespace pulse::features
