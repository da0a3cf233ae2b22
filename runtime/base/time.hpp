// Wall-clock time as milliseconds since 1970 in UTC, read and written as RFC 3339; the clock and the source of
// randomness are interfaces, so that time and chance are inputs everywhere.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace pulse {

/// Milliseconds since 1970-01-01T00:00:00Z.
struct time_ms {
  std::int64_t value = 0;

  auto operator<=>(const time_ms&) const = default;

  template <class Inspector>
  friend bool inspect(Inspector& f, time_ms& x) {
    return f.object(x).fields(f.field("value", x.value));
  }
};

inline constexpr std::int64_t second_ms = 1000;
inline constexpr std::int64_t minute_ms = 60 * second_ms;
inline constexpr std::int64_t hour_ms = 60 * minute_ms;
inline constexpr std::int64_t day_ms = 24 * hour_ms;

/// Reads RFC 3339 / ISO 8601: date, `T` or space, time with 0 to 9 digits of fraction, `Z` or an offset; a date
/// alone is midnight UTC. Nothing for anything else, and for dates that do not exist. Finer digits are cut.
std::optional<time_ms> parse_time(std::string_view text);

/// `2026-11-24T01:47:09.123Z`.
std::string format_time(time_ms t);

class clock {
public:
  virtual ~clock() = default;

  /// Wall-clock time; may jump.
  virtual time_ms now() const = 0;

  /// Milliseconds that never go back and count suspension; only differences mean anything.
  virtual std::int64_t monotonic_ms() const = 0;
};

class random_source {
public:
  virtual ~random_source() = default;

  /// Fills with bytes that nobody can guess.
  virtual void fill(std::span<std::uint8_t> bytes) = 0;

  uuid next_uuid();
};

/// CPU seconds that the calling thread has used.
double thread_cpu_seconds();

/// The system's clock and the system's randomness (OpenSSL); safe from any thread.
clock& system_clock();
random_source& system_random();

} // namespace pulse
