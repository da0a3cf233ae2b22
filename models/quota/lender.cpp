#include "models/quota/lender.hpp"

namespace pulse {

namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

} // namespace

std::int64_t loan_config::usable_for(const bucket_limits& limits) const {
  if (!limits.limited())
    return usable_ms;
  return std::clamp<std::int64_t>(limits.capacity() * 500 / limits.rate, 1, usable_ms);
}

lender::lender(bucket_limits limits, loan_config config, std::int64_t now, bool first) :
  limits_(limits), config_(config), last_(now), opens_at_(first ? now : now + config.lapse_ms(limits)) {
  milli_ = first ? limits.capacity() * 1000 : 0;
}

void lender::set(bucket_limits limits, std::int64_t now) {
  refill(now);
  const auto missing = limits_.capacity() * 1000 - milli_;
  const bool was_limited = limits_.limited();
  limits_ = limits;
  milli_ = was_limited ? std::max(limits.capacity() * 1000 - missing, std::min<std::int64_t>(milli_, 0)) : 0;
}

void lender::fill(std::int64_t to) {
  const auto room = limits_.capacity() * 1000 - milli_ - lent_milli_;
  const auto elapsed = to - last_;
  if (elapsed > 0 && room > 0 && limits_.limited())
    milli_ += elapsed >= divide_up(room, limits_.rate) ? room : elapsed * limits_.rate;
  last_ = std::max(last_, to);
}

/// In steps, each to the moment at which a slice lapses: that makes room, which is filled from then on.
void lender::refill(std::int64_t now) {
  while (!lent_.empty() && lent_.front().lapses_at <= now) {
    fill(lent_.front().lapses_at);
    lent_milli_ -= lent_.front().milli;
    lent_.pop_front();
  }
  fill(now);
}

void lender::settle(std::uint64_t gateway, std::uint64_t through, std::int64_t now) {
  refill(now);
  std::erase_if(lent_, [&](const slice& s) {
    const bool done = s.gateway == gateway && s.request <= through;
    lent_milli_ -= done ? s.milli : 0;
    return done;
  });
}

bool lender::full(std::int64_t now) {
  refill(now);
  return !limits_.limited() || (lent_.empty() && milli_ >= limits_.capacity() * 1000);
}

loan lender::lend(std::uint64_t gateway, std::uint64_t request, std::int64_t need, std::int64_t want,
                  std::int64_t now) {
  need = std::max<std::int64_t>(need, 1);
  want = std::max(want, need);
  const auto usable = config_.usable_for(limits_);
  if (!limits_.limited())
    return {want, usable, 0};
  refill(now);
  if (now < opens_at_)
    return {0, 0, opens_at_ - now};
  const auto capacity = limits_.capacity();
  const auto enough = std::min(need, capacity) * 1000;
  if (milli_ < enough) {
    // What is out lapses in time; a full bucket may have to wait for that, a smaller need only for the rate.
    const auto room = capacity * 1000 - milli_ - lent_milli_;
    auto wait = divide_up(enough - milli_, limits_.rate);
    if (enough - milli_ > room && !lent_.empty())
      wait = std::max(wait, lent_.front().lapses_at - now);
    return {0, 0, std::max<std::int64_t>(wait, 1)};
  }
  const auto spare = (milli_ - enough) / 2 / 1000;
  const auto granted = need + (need > capacity ? 0 : std::min(want - need, spare));
  milli_ -= granted * 1000;
  // A shorter term after a change of the limit must not lapse before what was lent earlier: the order is kept.
  const auto lapses_at = std::max(now + config_.lapse_ms(limits_), lent_.empty() ? 0 : lent_.back().lapses_at);
  lent_.push_back({gateway, request, lapses_at, granted * 1000});
  lent_milli_ += granted * 1000;
  return {granted, usable, 0};
}

} // namespace pulse
