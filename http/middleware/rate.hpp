// From a token bucket's answer to the headers of a response.
#pragma once

#include "http/middleware/message.hpp"
#include "models/quota/token_bucket.hpp"

namespace pulse::http {

/// Nothing for a tenant without a limit. The bucket as a window: its burst is what may be sent at once, and the time
/// it takes to fill is the window's length.
inline std::optional<rate_state> rate_of(const bucket_limits& limits, const take_result& taken) {
  if (!limits.limited())
    return std::nullopt;
  rate_state out;
  out.quota = limits.capacity();
  out.window_s = std::max<std::int64_t>(1, (limits.capacity() + limits.rate - 1) / limits.rate);
  out.remaining = taken.remaining;
  out.reset_s = (taken.full_after_ms + second_ms - 1) / second_ms;
  return out;
}

} // namespace pulse::http
