// What an event's id and time are, by the rules of ARCHITECTURE.md, "An event's id": the same event sent again has
// the same id on any node. Pure; used at the door.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace pulse {

/// The times that a client gave with an event; nothing where there was none or it could not be read.
struct client_times {
  /// The event's own `timestamp`, else `originalTimestamp`.
  std::optional<time_ms> own;
  /// The event's own `sentAt`, else the batch's.
  std::optional<time_ms> sent_at;
  /// `timestamp` of the batch.
  std::optional<time_ms> batch;
};

struct time_limits {
  /// Older times than this have no partition.
  time_ms horizon;
  std::int64_t future_ms_max = day_ms;
  /// |received - sentAt| above this means that the client's clock is not to be trusted.
  std::int64_t skew_ms_max = day_ms;
};

/// Why an event's own time does not make its id.
enum class untimed_reason : std::uint8_t { none, no_time, out_of_range, clock_skew };

struct event_time {
  time_ms occurred_at;
  /// The milliseconds in the id; within 24 h of `occurred_at`.
  time_ms id_time;
  bool timed = false;
  untimed_reason reason = untimed_reason::none;
};

/// Own time where it can be trusted; else corrected by the client's skew, the batch's time, `sentAt`, `received`, the
/// first that lies within the limits.
event_time resolve_time(const client_times& times, time_ms received, const time_limits& limits);

/// Version 7 layout (RFC 9562): 48 bits of milliseconds, 74 bits of a hash of (tenant, message id). Test keys hash
/// into another space, so that a test event never stands for a real one.
event_id make_event_id(tenant_id tenant, time_ms id_time, std::string_view message_id, bool test);

/// The same layout with random bits, for an event without a message id.
event_id make_random_event_id(time_ms id_time, random_source& random);

} // namespace pulse
