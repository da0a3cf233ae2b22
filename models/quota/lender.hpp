// A tenant's limit, exact over all gateways: its owner (the tenant's supervisor) keeps the one bucket and lends slices
// of it. A slice is usable for a short while from the *sending* of the gateway's request, and lapses after it, used or
// not.
//
// Why it is exact: what the bucket holds and what is lent and not yet lapsed are together never more than the burst,
// and grow by the rate alone. What is admitted in any interval was in the bucket or lent when it began, or came in
// since: at most burst + rate * t. What a gateway says it has used up is not lent any more, so that the bucket fills
// again. A new owner knows nothing of what the old one lent: it starts with an empty bucket and lends nothing until all
// that the old one can have lent has lapsed. Pure; time is an input, of one machine's clock that counts suspension.
// Lifecycle: with the tenant's supervisor.
#pragma once

#include <cstdint>
#include <deque>

#include "models/quota/token_bucket.hpp"

namespace pulse {

struct loan_config {
  /// A slice may be used for so long from the request on.
  std::int64_t usable_ms = 500;

  /// Shorter for a bucket that the rate fills sooner: at most half a burst is out unused.
  std::int64_t usable_for(const bucket_limits& limits) const;

  /// After so long from its arrival at the owner no slice can be in use any more: an eighth longer, for clocks that
  /// differ.
  std::int64_t lapse_ms(const bucket_limits& limits) const {
    return usable_for(limits) + usable_for(limits) / 8 + 1;
  }
};

struct loan {
  std::int64_t granted = 0;
  /// From the sending of the request.
  std::int64_t usable_ms = 0;
  /// When nothing was granted: the same may be granted after this.
  std::int64_t retry_after_ms = 0;
};

class lender {
public:
  /// `first`: nobody lent before (the tenant is new), so the bucket starts full and at once.
  lender(bucket_limits limits, loan_config config, std::int64_t now, bool first = false);

  /// What is missing from the bucket stays missing; a higher rate or burst counts from now on.
  void set(bucket_limits limits, std::int64_t now);

  /// At least `need` (>= 1), or nothing; up to `want` when there is more, but no more than half of the rest for what is
  /// not needed yet. A need above the burst is granted when the bucket is full, and leaves a debt. `gateway` names one
  /// run of one gateway; its requests count up.
  loan lend(std::uint64_t gateway, std::uint64_t request, std::int64_t need, std::int64_t want, std::int64_t now);

  /// Of all loans to this gateway up to this request nothing is left that it would use. Safe to lose and to repeat.
  void settle(std::uint64_t gateway, std::uint64_t through, std::int64_t now);

  /// Nothing is missing and nothing is out: forgetting it changes nothing.
  bool full(std::int64_t now);

  const bucket_limits& limits() const {
    return limits_;
  }

private:
  struct slice {
    std::uint64_t gateway;
    std::uint64_t request;
    std::int64_t lapses_at;
    std::int64_t milli;
  };

  void refill(std::int64_t now);
  void fill(std::int64_t to);

  bucket_limits limits_;
  loan_config config_;
  std::int64_t last_;
  std::int64_t opens_at_;
  /// Thousandths of a token; below 0 is debt.
  std::int64_t milli_ = 0;
  std::int64_t lent_milli_ = 0;
  /// In the order of lapsing. Each gateway has one request under way and settles with it: a few entries each.
  std::deque<slice> lent_;
};

} // namespace pulse
