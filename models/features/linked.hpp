// What payments have in common: the state of one card, device, IP address, e-mail domain, postal address or customer of
// a tenant, as far as payments go (events with an amount, and declined ones). An entity's update depends on the event
// and on its own state alone. Windows up to 24 h are exact, that of 7 days goes by the event-time hour.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "models/features/entity.hpp"

namespace pulse::features {

/// Payments remembered one by one of one entity; the oldest leave first, so counts saturate here.
inline constexpr std::size_t linked_entries_max = 256;
inline constexpr std::int64_t linked_days = 7;

struct linked_entry {
  static constexpr std::uint8_t is_declined = 1;
  static constexpr std::uint8_t is_refund = 2;
  static constexpr std::uint8_t has_coupon = 4;

  time_ms at;
  /// Ten-thousandths of the currency's unit.
  std::int64_t amount = 0;
  /// Hashes, 0 when unknown: enough to tell a few hundred apart.
  std::uint32_t customer = 0;
  std::uint32_t card = 0;
  std::uint32_t device = 0;
  std::uint8_t kind = 0;

  auto operator<=>(const linked_entry&) const = default;
};

/// As an event tells it.
linked_entry entry_of(const facts& f);

/// Sums of one hour of event time.
struct linked_hour {
  std::int64_t hour = 0;
  std::uint32_t payments = 0;
  std::uint32_t declined = 0;
  std::uint32_t refunds = 0;
  std::uint32_t coupons = 0;

  void add(const linked_entry& e);
};

class linked {
public:
  bool too_late(time_ms t) const {
    return newest_.value != INT64_MIN && t.value < newest_.value - lateness_max_ms;
  }

  /// Payments with a time in (t - width, t]; width at most 24 h.
  std::span<const linked_entry> last(std::int64_t width_ms, time_ms t) const;

  /// Sums over the hours (h - 168, h] where h is that of t.
  linked_hour week(time_ms t) const;

  /// Payments older than seven days at `t`: as many as can be known for fraud by then.
  std::int64_t mature(time_ms t) const;

  std::int64_t frauds() const {
    return frauds_;
  }

  void update(const facts& f);

  /// So many more of its payments are known for fraud.
  void add_frauds(std::int64_t by) {
    frauds_ += by;
  }

  std::size_t size() const {
    return entries_.size() + hours_.size();
  }

  void write(binary::writer& out) const;
  bool read(binary::reader& in);

private:
  void add_hour(const linked_entry& e);
  void forget();

  time_ms newest_{INT64_MIN};
  /// In order of time, those of the last 48 h before the newest.
  std::vector<linked_entry> entries_;
  /// In order, those of the last 8 days before the newest.
  std::vector<linked_hour> hours_;
  std::int64_t payments_ = 0;
  std::int64_t frauds_ = 0;
};

/// Of an event's entities before it; null where there is nothing, or the event names none.
struct linked_history {
  std::array<const linked*, linked_kinds> of{};
  /// All payments of the tenant.
  const linked* tenant = nullptr;
};

/// The share of frauds among mature payments, shrunk to the tenant's with the weight of `weight` payments, over the
/// tenant's; as a logarithm, not below 0. NaN where the tenant knows of no fraud,
/// and for payments that come too late.
double fraud_lift(const linked* entity, const linked* tenant, time_ms t, double weight);

} // namespace pulse::features
