#include "tests/support/fake_event_log.hpp"

#include <algorithm>

namespace pulse::testing {

namespace {

std::size_t size_of(const log_entry& e) {
  return e.key.size() + e.value.size() + e.traceparent.size() + e.source.size();
}

std::int64_t end_of(const fake_log_disk::partition& p) {
  return p.begin + static_cast<std::int64_t>(p.entries.size());
}

} // namespace

fake_event_log::fake_event_log(int slots, std::shared_ptr<fake_log_disk> disk) : slots_(slots), disk_(std::move(disk)) {
}

void fake_event_log::cork() {
  const std::lock_guard lock(mutex_);
  corked_ = true;
}

void fake_event_log::uncork() {
  std::deque<waiting_append> waiting;
  {
    const std::lock_guard lock(mutex_);
    corked_ = false;
    waiting.swap(waiting_);
  }
  for (auto& a : waiting)
    carry_out(std::move(a));
}

void fake_event_log::fail_next(int n, ec code, bool stored) {
  const std::lock_guard lock(mutex_);
  failures_ = n;
  failure_ = code;
  failure_stored_ = stored;
}

void fake_event_log::duplicate_next(int n) {
  const std::lock_guard lock(mutex_);
  duplicates_ = n;
}

void fake_event_log::fail_reads(int n, ec code) {
  const std::lock_guard lock(mutex_);
  read_failures_ = n;
  read_failure_ = code;
}

void fake_event_log::fill_disk(bool full) {
  const std::lock_guard lock(mutex_);
  full_ = full;
}

bool fake_event_log::wait_for_committed(log_topic topic, slot_id slot, log_offset end,
                                        std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  return committed_.wait_for(lock, limit, [&] { return end_of(at(topic, slot)) >= end.value; });
}

std::vector<log_record> fake_event_log::records(log_topic topic, slot_id slot) const {
  const std::lock_guard lock(mutex_);
  std::vector<log_record> out;
  const auto& p = at(topic, slot);
  for (const auto& e : p.entries)
    out.push_back({log_offset{p.begin + static_cast<std::int64_t>(out.size())}, e});
  return out;
}

std::size_t fake_event_log::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

log_generation fake_event_log::generation() const {
  return disk_->generation;
}

int fake_event_log::slots() const {
  return slots_;
}

void fake_event_log::append(log_topic topic, slot_id slot, std::vector<log_entry> entries, append_done done) {
  waiting_append a{topic, slot, std::move(entries), std::move(done)};
  {
    const std::lock_guard lock(mutex_);
    if (corked_) {
      waiting_.push_back(std::move(a));
      return;
    }
  }
  carry_out(std::move(a));
}

void fake_event_log::carry_out(waiting_append a) {
  std::function<void()> wake;
  const auto outcome = [&] {
    const std::lock_guard lock(mutex_);
    const auto stored = store(a);
    if (stored && a.topic == log_topic::raw)
      if (const auto found = wakes_.find(a.slot.value); found != wakes_.end())
        wake = found->second;
    return stored;
  }();
  committed_.notify_all();
  if (a.done)
    a.done(outcome);
  if (wake)
    wake();
}

result<log_offset> fake_event_log::store(const waiting_append& a) {
  if (a.slot.value < 0 || a.slot.value >= slots_)
    return error{ec::invalid, "the log has no such slot", ""};
  if (full_)
    return error{ec::no_space, "the fake disk is full", ""};
  const bool failing = failures_ > 0;
  failures_ -= failing ? 1 : 0;
  auto& p = at(a.topic, a.slot);
  const log_offset first{end_of(p)};
  const int copies = failing && !failure_stored_ ? 0 : duplicates_ > 0 ? 2 : 1;
  duplicates_ -= copies == 2 ? 1 : 0;
  for (int i = 0; i < copies; ++i)
    p.entries.insert(p.entries.end(), a.entries.begin(), a.entries.end());
  if (failing)
    return error{failure_, "the fake log was told to fail", ""};
  return first;
}

result<std::vector<log_record>> fake_event_log::read(log_topic topic, slot_id slot, log_offset from,
                                                     std::size_t records_max, std::size_t bytes_max) {
  const std::lock_guard lock(mutex_);
  if (slot.value < 0 || slot.value >= slots_)
    return error{ec::invalid, "the log has no such slot", ""};
  if (read_failures_ > 0) {
    --read_failures_;
    return error{read_failure_, "the fake log was told to fail", ""};
  }
  const auto& p = at(topic, slot);
  if (from.value < p.begin)
    return error{ec::not_found, "trimmed away", ""};
  std::vector<log_record> out;
  std::size_t bytes = 0;
  for (auto i = from.value; i < end_of(p) && out.size() < std::max<std::size_t>(records_max, 1); ++i) {
    const auto& e = p.entries[static_cast<std::size_t>(i - p.begin)];
    if (!out.empty() && bytes + size_of(e) > bytes_max)
      break;
    bytes += size_of(e);
    out.push_back({log_offset{i}, e});
  }
  return out;
}

log_offset fake_event_log::end(log_topic topic, slot_id slot) const {
  const std::lock_guard lock(mutex_);
  return log_offset{end_of(at(topic, slot))};
}

log_offset fake_event_log::begin(log_topic topic, slot_id slot) const {
  const std::lock_guard lock(mutex_);
  return log_offset{at(topic, slot).begin};
}

result<void> fake_event_log::trim(slot_id slot, log_offset below) {
  const std::lock_guard lock(mutex_);
  if (slot.value < 0 || slot.value >= slots_)
    return error{ec::invalid, "the log has no such slot", ""};
  auto& p = at(log_topic::raw, slot);
  while (p.begin < below.value && !p.entries.empty()) {
    p.entries.pop_front();
    ++p.begin;
  }
  return {};
}

void fake_event_log::on_appended(slot_id slot, std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  wakes_[slot.value] = std::move(wake);
}

result<void> fake_event_log::healthy() const {
  const std::lock_guard lock(mutex_);
  if (full_)
    return error{ec::no_space, "the fake disk is full", ""};
  return {};
}

fake_log_disk::partition& fake_event_log::at(log_topic topic, slot_id slot) const {
  return disk_->partitions[{static_cast<int>(topic), slot.value}];
}

} // namespace pulse::testing
