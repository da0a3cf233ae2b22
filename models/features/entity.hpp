// What is remembered of one entity of a tenant: a customer (profile), an address, or a population (all events, or all
// of one name). An entity's update depends on the event and on its own state alone, so state can be folded from the
// log in pieces; sums are integers, so the order of late events changes nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/binary/bytes.hpp"
#include "models/event/event.hpp"

namespace pulse::features {

/// How far behind an entity's newest event an event may lie and still count. Windows up to 24 h are exact for it;
/// later ones leave the entity as it is and see no windows.
inline constexpr std::int64_t lateness_max_ms = day_ms;

/// Events remembered of one entity for its windows; the oldest leave first, so counts saturate here.
inline constexpr std::size_t window_entries_max = 512;

struct window_entry {
  time_ms at;
  /// In ten-thousandths of the currency's unit; 0 when the event has no amount.
  std::int64_t amount = 0;
  /// Hash of who did it: tells customers of an address apart.
  std::uint64_t party = 0;

  auto operator<=>(const window_entry&) const = default;
};

/// The events of the last 48 hours before the newest, in order of time.
class event_window {
public:
  bool empty() const {
    return entries_.empty();
  }

  std::size_t size() const {
    return entries_.size();
  }

  /// Time of the newest event seen; only when not empty.
  time_ms newest() const {
    return entries_.back().at;
  }

  /// True when an event at `t` is more than lateness_max_ms behind.
  bool too_late(time_ms t) const {
    return !empty() && t.value < newest().value - lateness_max_ms;
  }

  /// Entries with a time in (t - width, t].
  std::span<const window_entry> last(std::int64_t width_ms, time_ms t) const;

  /// Time of the latest event at or before t that was ever added, where it is known.
  std::optional<time_ms> before(time_ms t) const;

  void add(const window_entry& e);

  void write(binary::writer& out) const;
  bool read(binary::reader& in);

private:
  std::vector<window_entry> entries_;
  /// Latest time among entries that left.
  std::optional<time_ms> left_;
};

/// Count, mean and spread of amounts on the logarithmic scale; integers in millionths. Old ones fade: at `fade_at`
/// everything is halved.
struct amount_stats {
  std::uint32_t n = 0;
  std::int64_t sum = 0;
  std::int64_t squares = 0;

  void add(double log_amount, std::uint32_t fade_at);
  double mean() const;
  double variance() const;

  void write(binary::writer& out) const;
  void read(binary::reader& in);
};

/// Events per hour of day (UTC), fading likewise.
struct hour_counts {
  std::array<std::uint32_t, 24> count{};
  std::uint32_t total = 0;

  void add(int hour, std::uint32_t fade_at);

  void write(binary::writer& out) const;
  bool read(binary::reader& in);
};

/// The last few different values of something, as hashes, the least recently used first to go.
class recent_set {
public:
  static constexpr std::size_t size_max = 8;

  bool empty() const {
    return items_.empty();
  }

  bool contains(std::uint64_t hash) const;
  void add(std::uint64_t hash);

  void write(binary::writer& out) const;
  bool read(binary::reader& in);

private:
  /// Least recently used first.
  std::vector<std::uint64_t> items_;
};

/// Amounts by category, the last few categories.
class category_amounts {
public:
  static constexpr std::size_t size_max = 16;

  bool empty() const {
    return items_.empty();
  }

  /// Null when not known.
  const amount_stats* find(std::uint64_t category) const;
  void add(std::uint64_t category, double log_amount, std::uint32_t fade_at);

  void write(binary::writer& out) const;
  bool read(binary::reader& in);

private:
  struct item {
    std::uint64_t category = 0;
    amount_stats amounts;
  };

  /// Least recently used first.
  std::vector<item> items_;
};

/// Name of an entity within its tenant: a hash, so that images hold nobody's name.
using key = std::array<std::uint8_t, 16>;

/// By what payments are linked; see linked.hpp.
enum class linked_kind : std::uint8_t { customer, card, device, ip, email_domain, address };
inline constexpr std::size_t linked_kinds = 6;

/// What an event tells of itself, worked out once.
struct facts {
  /// The population of its event name, the profile and the address it belongs to.
  key same_name{};
  std::optional<key> customer;
  std::optional<key> address;
  time_ms at;
  int hour = 0;
  /// sign * ln(1 + |amount|) in units of the currency; nothing without an amount.
  std::optional<double> log_amount;
  /// Ten-thousandths of the unit.
  std::int64_t amount = 0;
  /// Hashes; 0 when unknown.
  std::uint64_t party = 0;
  std::uint64_t country = 0;
  std::uint64_t device = 0;
  std::uint64_t ip = 0;
  /// Of the first line.
  std::uint64_t category = 0;
  /// An event with an amount, or a declined one: then its entities, by linked_kind.
  bool is_payment = false;
  bool declined = false;
  bool refund = false;
  bool coupon = false;
  /// Nothing where either country is unknown.
  std::optional<bool> ip_abroad;
  std::array<std::optional<key>, linked_kinds> linked;
};

facts facts_of(const event& e);

/// The keys of the entities that a payment is linked by, whatever the event is.
std::array<std::optional<key>, linked_kinds> linked_keys(const event& e);

struct profile {
  event_window window;
  amount_stats amounts;
  category_amounts categories;
  hour_counts hours;
  recent_set countries;
  recent_set devices;
  recent_set addresses;
  time_ms first_seen;

  void update(const facts& f);
  void write(binary::writer& out) const;
  bool read(binary::reader& in);
};

struct address {
  event_window window;

  void update(const facts& f);
  void write(binary::writer& out) const;
  bool read(binary::reader& in);
};

struct population {
  amount_stats amounts;
  hour_counts hours;

  void update(const facts& f);
  void write(binary::writer& out) const;
  bool read(binary::reader& in);
};

} // namespace pulse::features
