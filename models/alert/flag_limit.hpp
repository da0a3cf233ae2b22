// At most ten `event.flagged` an hour a tenant, then one summary. Pure; one per tenant, kept by its alerting actor,
// which restores it from what the alert table says was told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace pulse::alert {

struct flag_limit_config {
  std::size_t told_max = 10;
  std::int64_t period_ms = hour_ms;
};

/// What a summary tells of.
struct flag_summary {
  time_ms from;
  time_ms to;
  std::int64_t held = 0;
  std::int64_t critical = 0;
  double highest_risk = 0;
};

/// The first ten in any 60 minutes are told. The next one opens a holding time of an hour; in it all are held, at
/// its end one summary is due. So in any hour there are at most ten and one summary.
class flag_limit {
public:
  explicit flag_limit(flag_limit_config config = {}) : config_(config) {
  }

  /// After a restart: times of what was told in the last hour, oldest first, and what is held.
  void restore(const std::vector<time_ms>& told, std::optional<flag_summary> holding) {
    told_.assign(told.begin(), told.end());
    holding_ = holding;
  }

  /// True: tell it now. False: it is held and counted. Time that goes back counts as standing still.
  bool admit(time_ms now, double risk, bool critical) {
    last_ = std::max(last_, now);
    if (!holding_) {
      while (!told_.empty() && last_.value - told_.front().value >= config_.period_ms)
        told_.pop_front();
      if (told_.size() < config_.told_max) {
        told_.push_back(last_);
        return true;
      }
      holding_ = flag_summary{last_, {last_.value + config_.period_ms}, 0, 0, 0};
    }
    ++holding_->held;
    holding_->critical += critical ? 1 : 0;
    holding_->highest_risk = std::max(holding_->highest_risk, risk);
    return false;
  }

  /// The summary, once, when it is due.
  std::optional<flag_summary> tick(time_ms now) {
    last_ = std::max(last_, now);
    if (!holding_ || last_ < holding_->to)
      return std::nullopt;
    auto out = *holding_;
    holding_.reset();
    return out;
  }

  /// When tick() has something to say; nothing while nothing is held.
  std::optional<time_ms> due() const {
    return holding_ ? std::optional(holding_->to) : std::nullopt;
  }

private:
  flag_limit_config config_;
  std::deque<time_ms> told_;
  std::optional<flag_summary> holding_;
  time_ms last_;
};

} // namespace pulse::alert
