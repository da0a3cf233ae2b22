#include "models/source/progress.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace pulse::source {

progress::progress(std::int64_t delay_ms_min, std::int64_t delay_ms_max) :
  delay_ms_min_(delay_ms_min), delay_ms_max_(delay_ms_max) {
}

step progress::next(std::int64_t now) const {
  return now < not_before_ ? step::wait : at_;
}

void progress::opened(std::int64_t now) {
  at_ = step::read;
  not_before_ = now;
  if (status_.state == "starting")
    status_ = {"running", "", ""};
}

void progress::lost(const std::string& code, const std::string& detail, std::int64_t now) {
  // What was read and not acknowledged is read again.
  batch_.clear();
  part_ = 0;
  under_way_ = false;
  at_ = step::open;
  status_ = {"failing", code, detail};
  back_off(now);
}

void progress::took(std::vector<record> records, std::int64_t now) {
  PULSE_ASSERT(at_ == step::read, "records come when they are asked for");
  failures_ = 0;
  status_ = {"running", "", ""};
  not_before_ = now;
  if (records.empty())
    return;
  batch_ = std::move(records);
  part_ = batch_.size();
  at_ = step::send;
}

void progress::sent(std::int64_t deadline) {
  under_way_ = true;
  not_before_ = deadline;
}

void progress::answered(const batch_answer& a, std::int64_t now) {
  // A late answer of a batch that was given up, or sent again and answered already.
  if (at_ != step::send || !under_way_)
    return;
  under_way_ = false;
  if (a.failed) {
    status_ = {"waiting", std::string(to_string(a.failed->code)), a.failed->detail};
    back_off(now);
    not_before_ = std::max(not_before_, now + a.retry_after_ms);
    // A burst smaller than the batch would refuse it for ever.
    if (a.failed->code == ec::rate_limited)
      part_ = std::max<std::size_t>(1, part_ / 2);
    return;
  }
  failures_ = 0;
  status_ = {"running", "", ""};
  accepted_ = a.accepted;
  refused_ = a.refused;
  at_ = step::save;
  not_before_ = now;
}

saved progress::to_save() const {
  saved out;
  out.accepted = accepted_;
  out.refused = refused_;
  for (const auto& r : batch()) {
    auto& next = out.next[r.partition];
    next = std::max(next, r.offset + 1);
    out.last_record_ms = std::max(out.last_record_ms, r.time_ms);
  }
  return out;
}

void progress::stored(const result<void>& ok, std::int64_t now) {
  if (!ok) {
    status_ = {"waiting", std::string(to_string(ok.err().code)), "the position can't be stored: " + ok.err().detail};
    back_off(now);
    return;
  }
  failures_ = 0;
  status_ = {"running", "", ""};
  batch_.erase(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(part_));
  part_ = std::min(batch_.size(), 2 * part_);
  accepted_ = refused_ = 0;
  at_ = batch_.empty() ? step::read : step::send;
  not_before_ = now;
}

std::int64_t progress::grown() const {
  return std::min(delay_ms_max_, delay_ms_min_ << std::min(failures_, 16));
}

void progress::back_off(std::int64_t now) {
  not_before_ = now + grown();
  ++failures_;
}

} // namespace pulse::source
