#include "models/event/event_identity.hpp"

#include <algorithm>
#include <cstdlib>

#include "base/encoding.hpp"

namespace pulse {

namespace {

event_id with_layout(time_ms at, std::array<std::uint8_t, 16> bytes) {
  auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(at.value, 0));
  for (std::size_t i = 6; i-- > 0; ms >>= 8)
    bytes[i] = static_cast<std::uint8_t>(ms & 0xff);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x70);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  return {uuid{bytes}};
}

bool within(time_ms a, time_ms b, std::int64_t ms) {
  return std::abs(a.value - b.value) <= ms;
}

} // namespace

event_time resolve_time(const client_times& times, time_ms received, const time_limits& limits) {
  const auto in_range = [&](time_ms t) {
    return t >= limits.horizon && t.value <= received.value + limits.future_ms_max;
  };
  const bool skewed = times.sent_at && !within(received, *times.sent_at, limits.skew_ms_max);
  event_time out;
  if (times.own && !skewed && in_range(*times.own))
    return {*times.own, *times.own, true, untimed_reason::none};
  out.reason = !times.own ? untimed_reason::no_time
               : skewed   ? untimed_reason::clock_skew
                          : untimed_reason::out_of_range;
  if (times.own && skewed) {
    // Segment's correction: how long before sending it happened is right even on a wrong clock.
    const time_ms corrected{received.value - (times.sent_at->value - times.own->value)};
    if (in_range(corrected) && corrected <= received) {
      out.occurred_at = out.id_time = corrected;
      return out;
    }
  }
  // A batch's times are not the event's own: they date it, but its id is of the moment it came.
  out.id_time = out.occurred_at = received;
  for (const auto& t : {times.batch, times.sent_at})
    if (t && in_range(*t) && within(*t, received, limits.skew_ms_max)) {
      out.occurred_at = *t;
      break;
    }
  return out;
}

event_id make_event_id(tenant_id tenant, time_ms id_time, std::string_view message_id, bool test) {
  return with_layout(id_time, hash_parts({test ? "test event" : "event", std::to_string(tenant.value), message_id}));
}

event_id make_random_event_id(time_ms id_time, random_source& random) {
  return with_layout(id_time, random.next_uuid().bytes);
}

} // namespace pulse
