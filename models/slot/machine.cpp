// Batches: reading, splitting, joining, committing, trimming. What happens within one tenant's lane is in lane.cpp and
// sleep.cpp.
#include "models/slot/machine.hpp"

#include <algorithm>

namespace pulse::slot {

machine::machine(machine_config config, log_offset position, const std::vector<dirty_tenant>& dirty) :
  config_(config), position_(position), next_read_(position) {
  for (const auto& d : dirty) {
    auto& l = lanes_[d.tenant];
    l.tenant = d.tenant;
    l.image_as_of = d.as_of;
    l.last = d.last;
  }
}

void machine::start(time_ms now, std::vector<action>& out) {
  for (auto& [tenant, l] : lanes_)
    l.active_at = l.imaged_at = now;
  read_more(now, out);
}

void machine::on_wake(time_ms now, std::vector<action>& out) {
  more_ = true;
  read_more(now, out);
}

void machine::read_more(time_ms now, std::vector<action>& out) {
  if (reading_ || !more_ || draining_ || stopped_ || now < read_at_)
    return;
  const auto open = std::count_if(batches_.begin(), batches_.end(), [](const open_batch& b) { return b.from != b.to; });
  if (static_cast<std::size_t>(open) >= config_.batches_in_flight_max)
    return;
  reading_ = true;
  out.emplace_back(read_action{next_read_, config_.batch_events_max, config_.batch_bytes_max});
}

void machine::on_records(std::vector<item> items, bool full, time_ms now, std::vector<action>& out) {
  reading_ = false;
  more_ = full;
  read_at_ = full ? now : time_ms{now.value + config_.read_interval_ms};
  if (items.empty() || stopped_)
    return;
  open_batch b;
  b.seq = next_seq_++;
  b.from = next_read_;
  b.to = log_offset{items.back().offset.value + 1};
  PULSE_ASSERT(items.front().offset == next_read_, "raw was read with a gap");
  next_read_ = b.to;
  b.results.resize(items.size());
  b.unanswered = items.size();
  b.items = std::move(items);
  batches_.push_back(std::move(b));
  auto& open = batches_.back();
  std::set<tenant_id> touched;
  for (std::size_t i = 0; i < open.items.size(); ++i) {
    const auto tenant = open.items[i].tenant;
    if (deleted_.contains(tenant)) {
      processed dropped;
      dropped.outcome = outcome::dropped;
      answer({open.seq, i}, std::move(dropped));
      continue;
    }
    auto& l = lane_of(tenant, now);
    l.pending.push_back({open.seq, i});
    l.active_at = now;
    touched.insert(tenant);
  }
  for (auto tenant : touched)
    pump(lanes_.at(tenant), now, out);
  pump_commits(now, out);
  read_more(now, out);
}

void machine::on_read_failed(const error& why, time_ms now, std::vector<action>& out) {
  reading_ = false;
  if (!is_retryable(why.code)) {
    stopped_ = true;
    out.emplace_back(stop_action{why});
    return;
  }
  more_ = true;
  read_at_ = time_ms{now.value + config_.retry_delay_ms_max};
}

void machine::answer(const place& at, processed what) {
  auto& b = batch_of(at.seq);
  const auto& it = b.items[at.index];
  what.offset = it.offset;
  what.tenant = it.tenant;
  b.results[at.index] = std::move(what);
  --b.unanswered;
}

void machine::pump_commits(time_ms now, std::vector<action>& out) {
  if (batches_.empty() || stopped_ || now < commit_retry_at_)
    return;
  auto& b = batches_.front();
  if (b.sent || b.unanswered != 0)
    return;
  auto whole = std::make_shared<slot::batch>();
  whole->seq = b.seq;
  whole->from = b.from;
  whole->to = b.to;
  whole->results = std::move(b.results);
  whole->images = std::move(b.images);
  b.sent = std::move(whole);
  out.emplace_back(commit_action{b.sent});
}

void machine::on_committed(std::uint64_t seq, time_ms now, std::vector<action>& out) {
  if (batches_.empty() || batches_.front().seq != seq || !batches_.front().sent)
    return;
  const auto done = batches_.front().sent;
  batches_.pop_front();
  commit_delay_ms_ = 0;
  commit_retry_at_ = time_ms{};
  PULSE_ASSERT(done->to >= position_ || done->from == done->to, "a position never goes back");
  position_ = std::max(position_, done->to);
  release_imaged(*done, out);
  pump_commits(now, out);
  read_more(now, out);
}

void machine::on_commit_failed(std::uint64_t seq, const error& why, time_ms now, std::vector<action>& out) {
  if (batches_.empty() || batches_.front().seq != seq)
    return;
  if (!is_retryable(why.code)) {
    stopped_ = true;
    out.emplace_back(stop_action{why});
    return;
  }
  commit_delay_ms_ = std::clamp(commit_delay_ms_ * 2, config_.retry_delay_ms_min, config_.retry_delay_ms_max);
  commit_retry_at_ = time_ms{now.value + commit_delay_ms_};
}

void machine::tick(time_ms now, std::vector<action>& out) {
  if (stopped_)
    return;
  if (commit_retry_at_.value != 0 && now >= commit_retry_at_ && !batches_.empty() && batches_.front().sent) {
    commit_retry_at_ = time_ms{};
    out.emplace_back(commit_action{batches_.front().sent});
  }
  for (auto& [tenant, l] : lanes_)
    if (l.request == 0)
      pump(l, now, out);
  pump_commits(now, out);
  passivate(now, out);
  read_more(now, out);
}

void machine::drain(time_ms now, std::vector<action>& out) {
  draining_ = true;
  tick(now, out);
}

bool machine::drained() const {
  return draining_ && !reading_ && batches_.empty() && tenants_awake() == 0;
}

log_offset machine::trim_bound() const {
  auto bound = position_;
  for (const auto& [tenant, l] : lanes_)
    if (l.last > l.image_as_of)
      bound = std::min(bound, log_offset{l.image_as_of.value + 1});
  return bound;
}

std::size_t machine::tenants_awake() const {
  return static_cast<std::size_t>(
      std::count_if(lanes_.begin(), lanes_.end(), [](const auto& l) { return l.second.phase != phase::asleep; }));
}

std::size_t machine::model_bytes() const {
  std::size_t out = 0;
  for (const auto& [tenant, l] : lanes_)
    out += l.model_bytes;
  return out;
}

void machine::on_tenant_deleted(tenant_id tenant) {
  deleted_.insert(tenant);
}

machine::open_batch& machine::batch_of(std::uint64_t seq) {
  for (auto& b : batches_)
    if (b.seq == seq)
      return b;
  PULSE_ASSERT(false, "a place in a batch that is not open");
}

} // namespace pulse::slot
