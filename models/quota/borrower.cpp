#include "models/quota/borrower.hpp"

namespace pulse {

std::int64_t borrower::available(std::int64_t now) {
  while (!slices_.empty() && (slices_.front().usable_until <= now || slices_.front().tokens == 0))
    slices_.pop_front();
  std::int64_t sum = 0;
  for (const auto& s : slices_)
    sum += s.usable_until > now ? s.tokens : 0;
  return sum;
}

/// The oldest first: they lapse first.
void borrower::spend(std::int64_t n) {
  for (auto& s : slices_) {
    const auto part = std::min(n, s.tokens);
    s.tokens -= part;
    n -= part;
  }
}

void borrower::note_use(std::int64_t n, std::int64_t now) {
  const auto stretch = now / config_.ahead_ms;
  if (stretch != stretch_) {
    ahead_ = stretch == stretch_ + 1 && requests_now_ >= config_.stream_requests_min ? used_now_ : 0;
    used_now_ = requests_now_ = 0;
    stretch_ = stretch;
  }
  used_now_ += n;
  ++requests_now_;
}

/// What was asked for before the oldest slice that is left, or before what is being asked for now. An answer that comes
/// after its question was given up is not used, so that is settled too.
std::uint64_t borrower::settled(std::int64_t now) {
  available(now);
  const auto open = !slices_.empty() ? slices_.front().request : asked_ ? asked_->request : next_request_;
  return open - 1;
}

void borrower::settle(std::int64_t now, std::vector<borrower_action>& out) {
  const auto through = settled(now);
  if (asked_ || through <= told_settled_)
    return;
  told_settled_ = through;
  out.emplace_back(settle_action{through});
}

void borrower::take(std::uint64_t id, std::int64_t n, std::int64_t now, std::vector<borrower_action>& out) {
  n = std::max<std::int64_t>(n, 1);
  note_use(n, now);
  if (waiting_.empty() && available(now) >= n) {
    spend(n);
    out.emplace_back(admit_action{id});
    settle(now, out);
    return;
  }
  if (now < refused_until_ && n + waiting_tokens_ >= refused_need_) {
    out.emplace_back(refuse_action{id, refused_until_ - now});
    return;
  }
  if (waiting_.size() >= config_.waiting_max) {
    out.emplace_back(refuse_action{id, config_.answer_ms_max});
    return;
  }
  waiting_.push_back({id, n, now});
  waiting_tokens_ += n;
  ask(now, out);
}

void borrower::ask(std::int64_t now, std::vector<borrower_action>& out) {
  if (asked_ || waiting_.empty())
    return;
  const auto have = available(now);
  // Only the first in line has to be served by this answer; what is there already counts towards it.
  const auto need = std::max<std::int64_t>(1, waiting_.front().n - have);
  const auto want = std::max(need, waiting_tokens_ - have + ahead_);
  told_settled_ = settled(now);
  asked_ = {next_request_++, now};
  out.emplace_back(ask_action{asked_->request, told_settled_, need, want});
}

void borrower::serve(std::int64_t now, std::vector<borrower_action>& out) {
  auto have = available(now);
  while (!waiting_.empty() && have >= waiting_.front().n) {
    const auto w = waiting_.front();
    spend(w.n);
    have -= w.n;
    waiting_tokens_ -= w.n;
    waiting_.pop_front();
    out.emplace_back(admit_action{w.id});
  }
}

void borrower::on_loan(std::uint64_t request, pulse::epoch owner, const loan& what, std::int64_t now,
                       std::vector<borrower_action>& out) {
  if (!asked_ || asked_->request != request)
    return;
  if (owner < owner_)
    return;
  owner_ = owner;
  const auto sent = asked_->sent;
  asked_.reset();
  if (what.granted > 0) {
    slices_.push_back({request, sent + what.usable_ms, what.granted});
    refused_until_ = 0;
    serve(now, out);
    ask(now, out);
    settle(now, out);
    return;
  }
  // Whoever waits would be refused as the first was: the others need no less room than is missing.
  refused_need_ = waiting_.empty() ? 1 : waiting_.front().n;
  refused_until_ = now + what.retry_after_ms;
  std::deque<waiter> left;
  for (const auto& w : waiting_) {
    if (w.n >= refused_need_)
      out.emplace_back(refuse_action{w.id, what.retry_after_ms});
    else
      left.push_back(w);
  }
  waiting_ = std::move(left);
  waiting_tokens_ = 0;
  for (const auto& w : waiting_)
    waiting_tokens_ += w.n;
  serve(now, out);
  ask(now, out);
}

void borrower::tick(std::int64_t now, std::vector<borrower_action>& out) {
  if (!asked_ || now - asked_->sent < config_.answer_ms_max)
    return;
  asked_.reset();
  for (const auto& w : waiting_)
    out.emplace_back(away_action{w.id});
  waiting_.clear();
  waiting_tokens_ = 0;
}

} // namespace pulse
