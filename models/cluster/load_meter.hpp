// A slot's load in events a second, from its position as it is seen now and then: smoothed, so that placement, which
// acts on differences of a tenth, holds still under traffic that comes and goes.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include "base/ids.hpp"

namespace pulse::cluster {

class load_meter {
public:
  /// `now` as of clock::monotonic_ms. Nothing until it was watched for five seconds: their mean is what it starts from.
  std::optional<double> see(log_offset position, std::int64_t now) {
    if (!seen_) {
      seen_ = {position, now};
      return std::nullopt;
    }
    const auto passed = static_cast<double>(now - seen_->at);
    if (passed < (load_ ? 1 : first_ms))
      return load_;
    const auto rate = static_cast<double>(position.value - seen_->position.value) * 1000.0 / passed;
    load_ = load_ ? rate + (*load_ - rate) * std::exp(-passed / smooth_ms) : rate;
    seen_ = {position, now};
    return load_;
  }

private:
  static constexpr double first_ms = 5000;
  /// An old rate counts for a third after so long.
  static constexpr double smooth_ms = 30'000;

  struct sight {
    log_offset position;
    std::int64_t at;
  };

  std::optional<sight> seen_;
  std::optional<double> load_;
};

} // namespace pulse::cluster
