// When a child that died is made again: never at once, and each time later than the last.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pulse {

class restart_delay {
public:
  /// The child died now; in how many milliseconds it is made again. Times as of clock::monotonic_ms.
  std::int64_t died(std::int64_t now_ms) {
    if (now_ms - at_ms_ > forgiven_ms)
      deaths_ = 0;
    const auto wait = std::min(ms_max, ms_min << std::min(++deaths_, 9));
    at_ms_ = now_ms + wait;
    return wait;
  }

  bool may_start(std::int64_t now_ms) const {
    return now_ms >= at_ms_;
  }

private:
  static constexpr std::int64_t ms_min = 100;
  static constexpr std::int64_t ms_max = 30'000;
  /// Having lived so long a child has done well.
  static constexpr std::int64_t forgiven_ms = 60'000;

  int deaths_ = 0;
  std::int64_t at_ms_ = 0;
};

} // namespace pulse
