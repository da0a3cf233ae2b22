// Token bucket: how much a tenant may send. Pure: time is an input, one bucket per tenant, no lock of its own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace pulse {

struct bucket_limits {
  /// Tokens that come back in a second; 0 = no limit.
  std::int64_t rate = 1000;
  /// Tokens a full bucket holds; below 1: as many as `rate`.
  std::int64_t burst = 5000;

  auto operator<=>(const bucket_limits&) const = default;

  bool limited() const {
    return rate > 0;
  }

  std::int64_t capacity() const {
    return burst >= 1 ? burst : std::max<std::int64_t>(rate, 1);
  }
};

struct take_result {
  bool ok = true;
  /// When not ok: after this time the same call would pass, if nobody else takes. At least 1.
  std::int64_t retry_after_ms = 0;
  /// Tokens left, never below 0; `capacity` without a limit.
  std::int64_t remaining = 0;
  /// Until the bucket is full again.
  std::int64_t full_after_ms = 0;
};

/// Rule for big batches: `take(n)` passes when the bucket holds min(n, capacity) tokens, and always takes n, so a
/// batch larger than the bucket passes when it is full and leaves a debt that the rate pays off. So nothing that
/// the size limits let in is ever impossible, and the long-run rate holds. Counted in thousandths: exact in ms.
class token_bucket {
public:
  explicit token_bucket(bucket_limits limits = {}, time_ms now = {}) : limits_(limits), last_(now) {
    milli_ = full();
  }

  /// A new limit keeps what is missing from the bucket, so that nobody gets a free burst by a change; a smaller
  /// bucket is empty at worst and makes no new debt.
  void set(bucket_limits limits, time_ms now) {
    refill(now);
    const auto missing = full() - milli_;
    const bool was_limited = limits_.limited();
    limits_ = limits;
    milli_ = was_limited ? std::max(full() - missing, std::min<std::int64_t>(milli_, 0)) : full();
  }

  const bucket_limits& limits() const {
    return limits_;
  }

  /// Takes `n` tokens (n >= 0) or none. A clock that goes back refills nothing.
  take_result take(std::int64_t n, time_ms now) {
    if (!limits_.limited())
      return {true, 0, limits_.capacity(), 0};
    refill(now);
    const auto wanted = std::min(n, limits_.capacity()) * 1000;
    take_result out;
    out.ok = milli_ >= wanted;
    if (out.ok)
      milli_ -= n * 1000;
    else
      out.retry_after_ms = std::max<std::int64_t>(1, divide_up(wanted - milli_, limits_.rate));
    out.remaining = std::max<std::int64_t>(0, milli_ / 1000);
    out.full_after_ms = divide_up(full() - milli_, limits_.rate);
    return out;
  }

private:
  std::int64_t full() const {
    return limits_.capacity() * 1000;
  }

  static std::int64_t divide_up(std::int64_t a, std::int64_t b) {
    return (a + b - 1) / b;
  }

  void refill(time_ms now) {
    const auto elapsed = now.value - last_.value;
    if (elapsed <= 0)
      return;
    last_ = now;
    if (!limits_.limited())
      return;
    const auto missing = full() - milli_;
    milli_ = elapsed >= divide_up(missing, limits_.rate) ? full() : milli_ + elapsed * limits_.rate;
  }

  bucket_limits limits_;
  time_ms last_;
  /// Thousandths of a token; below 0 is debt.
  std::int64_t milli_ = 0;
};

} // namespace pulse
