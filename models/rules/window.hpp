// One window's memory: what one entity did that counts for one window_spec, in event time. Everything below is a
// definition, which a test's oracle shares:
//
// - An event more than 24 h behind the newest one that was added is too late: it is not added and sees no window.
// - Up to 24 h: what lies in (t - width, t]. At most `window_entries_max` of the newest are remembered, and an answer
//   that would need more says so (`saturated`).
// - Longer: whole hours of event time; the hours from that of t back to width / 1 h, its own included. Remembered for
//   30 days and 24 h before the newest; `distinct` remembers at most `window_entries_max` pairs of hour and thing.
//
// Adding finds its place in O(log n) and moves what is newer (nothing, in order of time) or what is forgotten, both at
// most `window_entries_max`; asking for a count or a sum is O(log n), for `distinct` it looks at the window.
#pragma once

#include <cstdint>
#include <vector>

#include "models/binary/bytes.hpp"
#include "models/rules/input.hpp"

namespace pulse::rules {

inline constexpr std::int64_t window_lateness_ms = day_ms;
inline constexpr std::size_t window_entries_max = 2048;

/// What of an event goes into a window.
struct window_event {
  time_ms at;
  /// In ten-thousandths of the currency's unit.
  std::int64_t amount = 0;
  /// Hash of what is told apart by `distinct`.
  std::uint64_t thing = 0;
};

struct window_answer {
  /// Number of events or things; for `sum` ten-thousandths.
  std::int64_t total = 0;
  bool too_late = false;
  /// At least this much: older entries had to leave.
  bool saturated = false;

  bool operator==(const window_answer&) const = default;
};

class window {
public:
  /// False: too late, nothing was changed.
  bool add(const window_spec& spec, const window_event& e);

  /// As of t, with `self` (null: the event does not count for the window) on top of what was added.
  window_answer ask(const window_spec& spec, std::int64_t width_ms, time_ms t, const window_event* self) const;

  std::size_t size() const {
    return entries_.size();
  }

  void write(binary::writer& out) const;
  bool read(binary::reader& in);

private:
  struct entry {
    /// Milliseconds, or hours since 1970.
    std::int64_t at = 0;
    /// The amount; of hours the number of events or the amount; the thing's hash.
    std::int64_t what = 0;
    /// Of all entries up to here since the window was made; only differences mean anything.
    std::int64_t sum = 0;
  };

  using iterator = std::vector<entry>::const_iterator;

  bool too_late(time_ms t) const;
  void insert(std::int64_t at, std::int64_t what, bool by_thing);
  void merge_hour(std::int64_t hour, std::int64_t by);
  void forget(const window_spec& spec);
  std::int64_t distinct(iterator from, iterator to, const window_event* self) const;

  std::vector<entry> entries_;
  time_ms newest_{INT64_MIN};
  /// Latest place (entry::at) that was dropped because there were too many.
  std::int64_t cut_ = INT64_MIN;
};

} // namespace pulse::rules
