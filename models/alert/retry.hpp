// When a delivery is tried again, and what an answer means for it. Pure: chance is an input.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace pulse::alert {

enum class outcome : std::uint8_t {
  /// 2xx.
  delivered,
  /// Anything else, also 3xx: a redirect is not followed, since its target was never agreed on.
  retry,
  /// 410: the receiver wants no more; the endpoint is disabled.
  disable,
};

/// `status` of an answer; 0 when there was none.
outcome outcome_of(int status);

struct retry_config {
  /// Before attempt 2, 3 ... : three days in all, 12 attempts, dense at first since most failures are short.
  std::vector<std::int64_t> delays_ms = {5 * second_ms,  30 * second_ms, 2 * minute_ms, 10 * minute_ms,
                                         30 * minute_ms, hour_ms,        3 * hour_ms,   6 * hour_ms,
                                         12 * hour_ms,   24 * hour_ms,   24 * hour_ms};
  /// Each delay is multiplied by a number from [1 - jitter, 1 + jitter]: receivers that were away together are not
  /// all hit together when they are back.
  double jitter = 0.2;
  /// A receiver may ask for this much at most.
  std::int64_t retry_after_max_ms = 24 * hour_ms;
};

/// Milliseconds until the next attempt after `attempts_made` (>= 1); nothing when there is none left. Retry-After
/// prolongs a delay and never shortens it. `chance` is from [0, 1).
std::optional<std::int64_t> next_delay_ms(const retry_config& config, int attempts_made,
                                          std::optional<std::int64_t> retry_after_s, double chance);

} // namespace pulse::alert
