#include "spill/spill.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "spill";
constexpr auto raw = log_topic::raw;

std::size_t size_of(const log_entry& e) {
  return e.key.size() + e.value.size() + e.traceparent.size() + sizeof(log_entry);
}

/// What a log that is away says, as opposed to one that never takes these entries.
bool is_away(const error& e) {
  return e.code == ec::unavailable || e.code == ec::timeout;
}

} // namespace

spill::spill(event_log& log, std::unique_ptr<event_log> disk, spill_settings settings) :
  log_(log), disk_(std::move(disk)), settings_(settings) {
  for (int s = 0; s < log_.slots(); ++s)
    lanes_.push_back(std::make_unique<lane>());
}

result<std::unique_ptr<spill>> spill::open(event_log& log, std::unique_ptr<event_log> disk, spill_settings settings) {
  if (disk->slots() < log.slots())
    return error{ec::invalid,
                 fmt::format("the spill has {} slots and the log {}; let it drain with the log that it was made for",
                             disk->slots(), log.slots()),
                 "kafka.spill_mib"};
  std::unique_ptr<spill> out(new spill(log, std::move(disk), settings));
  if (auto ok = out->recover(); !ok)
    return ok.err();
  return out;
}

/// What an earlier run left.
result<void> spill::recover() {
  for (int s = 0; s < log_.slots(); ++s) {
    const slot_id slot{s};
    for (auto from = disk_->begin(raw, slot); from < disk_->end(raw, slot);) {
      const auto records = disk_->read(raw, slot, from, settings_.batch_records_max, settings_.batch_bytes_max);
      if (!records)
        return records.err();
      for (const auto& r : *records)
        bytes_ += size_of(r.entry);
      events_ += static_cast<std::int64_t>(records->size());
      from = log_offset{records->back().offset.value + 1};
      at(slot).spilling = true;
    }
  }
  if (events_ > 0)
    log::info("spill_found", component,
              fmt::format("{} events of an earlier run are on this disk and follow into the log", events_.load()));
  return {};
}

spill::~spill() {
  stop();
  // Its last answers come to the lanes.
  disk_.reset();
}

void spill::start(std::chrono::milliseconds retry) {
  thread_ = std::thread([this, retry] {
    std::unique_lock lock(due_mutex_);
    while (!stopping_) {
      due_ = false;
      lock.unlock();
      follow();
      lock.lock();
      due_changed_.wait_for(lock, retry, [this] { return due_ || stopping_; });
    }
  });
}

void spill::stop() {
  {
    const std::lock_guard lock(due_mutex_);
    stopping_ = true;
  }
  due_changed_.notify_all();
  if (thread_.joinable())
    thread_.join();
}

void spill::wake() {
  {
    const std::lock_guard lock(due_mutex_);
    due_ = true;
  }
  due_changed_.notify_all();
}

spill::lane& spill::at(slot_id slot) {
  return *lanes_.at(static_cast<std::size_t>(slot.value));
}

bool spill::reserve(std::size_t bytes) {
  if (bytes_.fetch_add(bytes) + bytes <= settings_.bytes_max)
    return true;
  bytes_ -= bytes;
  return false;
}

void spill::refuse(waiting w, error why) {
  ++refused_;
  w.done(std::move(why));
}

void spill::append(slot_id slot, std::vector<log_entry> entries, event_log::append_done done) {
  waiting w{std::move(entries), std::move(done), 0, std::nullopt};
  for (const auto& e : w.entries)
    w.bytes += size_of(e);
  auto& l = at(slot);
  std::unique_lock lock(l.mutex);
  if (!l.queued.empty() && l.queued_bytes + w.bytes > settings_.held_bytes_max) {
    lock.unlock();
    refuse(std::move(w),
           {ec::unavailable, fmt::format("the log is away and too much of slot {} waits; try again later", slot.value),
            ""});
    return;
  }
  l.queued_bytes += w.bytes;
  l.queued.push_back(std::move(w));
  hand_over(slot, lock);
}

/// With the lane locked, which it is not during a hand-over: one thread hands over, in order, for all that come.
void spill::hand_over(slot_id slot, std::unique_lock<std::mutex>& lock) {
  auto& l = at(slot);
  if (l.handing)
    return;
  l.handing = true;
  for (;;) {
    const bool back = !l.returned.empty();
    const bool waits = l.turning_back || (l.spilling && l.under_way > 0);
    if (!back && (l.queued.empty() || waits))
      break;
    auto& from = back ? l.returned : l.queued;
    auto w = std::move(from.front());
    from.pop_front();
    if (!back)
      l.queued_bytes -= w.bytes;
    const bool disk = back || l.spilling;
    ++(disk ? l.on_the_way_to_disk : l.under_way);
    lock.unlock();
    if (disk)
      to_disk(slot, std::move(w));
    else
      to_log(slot, std::move(w));
    lock.lock();
  }
  l.handing = false;
}

void spill::to_log(slot_id slot, waiting w) {
  // Kept until the log has answered; the log's own copy is gone by then.
  auto entries = w.entries;
  log_.append(raw, slot, std::move(entries), [this, slot, w = std::move(w)](result<log_offset> at) mutable {
    answered(slot, std::move(w), std::move(at));
  });
}

void spill::answered(slot_id slot, waiting w, result<log_offset> answer) {
  const bool keep = !answer && is_away(answer.err());
  auto& l = at(slot);
  std::unique_lock lock(l.mutex);
  --l.under_way;
  if (keep) {
    if (!std::exchange(l.spilling, true))
      log::warning("spill_begins", component,
                   fmt::format("slot {} goes to this node's disk: {}", slot.value, answer.err().detail));
    w.refused = answer.err();
    l.returned.push_back(std::move(w));
  }
  hand_over(slot, lock);
  lock.unlock();
  if (!keep)
    w.done(std::move(answer));
}

void spill::to_disk(slot_id slot, waiting w) {
  if (!reserve(w.bytes)) {
    stored(slot, 0, 0, false);
    const auto full =
        fmt::format("the log is away and the spill of {} MiB on this node's disk is full; try again later",
                    settings_.bytes_max >> 20);
    refuse(std::move(w), {ec::unavailable, w.refused ? full + " (" + w.refused->detail + ")" : full, ""});
    return;
  }
  auto entries = std::move(w.entries);
  const auto n = entries.size();
  disk_->append(raw, slot, std::move(entries), [this, slot, n, w = std::move(w)](result<log_offset> at) mutable {
    stored(slot, n, w.bytes, at.ok());
    if (at)
      w.done(std::move(at));
    else
      refuse(std::move(w), at.err());
  });
}

void spill::stored(slot_id slot, std::size_t entries, std::size_t bytes, bool ok) {
  if (ok) {
    taken_ += entries;
    events_ += static_cast<std::int64_t>(entries);
  } else {
    bytes_ -= bytes;
  }
  auto& l = at(slot);
  std::unique_lock lock(l.mutex);
  --l.on_the_way_to_disk;
  const bool last = l.turning_back;
  lock.unlock();
  if (last)
    wake();
}

void spill::follow() {
  for (int s = 0; s < log_.slots(); ++s)
    follow(slot_id{s});
}

void spill::follow(slot_id slot) {
  auto& l = at(slot);
  {
    std::unique_lock lock(l.mutex);
    if (!l.spilling || l.sending)
      return;
    turn_back_if_empty(slot, l);
    if (!l.spilling) {
      hand_over(slot, lock);
      return;
    }
    if (disk_->begin(raw, slot) == disk_->end(raw, slot))
      return;
    l.sending = true;
  }
  auto records =
      disk_->read(raw, slot, disk_->begin(raw, slot), settings_.batch_records_max, settings_.batch_bytes_max);
  if (!records || records->empty()) {
    followed(slot, {},
             records ? error{ec::corrupt, "the spill has nothing where its records begin", ""} : records.err());
    return;
  }
  batch sent;
  sent.next = log_offset{records->back().offset.value + 1};
  sent.entries = records->size();
  std::vector<log_entry> entries;
  entries.reserve(records->size());
  for (auto& r : *records) {
    sent.bytes += size_of(r.entry);
    entries.push_back(std::move(r.entry));
  }
  {
    const std::lock_guard lock(l.mutex);
    l.turning_back = l.turning_back || sent.next == disk_->end(raw, slot);
  }
  log_.append(raw, slot, std::move(entries),
              [this, slot, sent](const result<log_offset>& at) { followed(slot, sent, at); });
}

void spill::followed(slot_id slot, const batch& sent, const result<log_offset>& answer) {
  auto outcome = answer ? disk_->trim(slot, sent.next) : result<void>(answer.err());
  if (answer) {
    // Where the trim failed they stand in the log and on the disk, and follow once more.
    followed_ += sent.entries;
    if (outcome) {
      events_ -= static_cast<std::int64_t>(sent.entries);
      bytes_ -= sent.bytes;
    }
  }
  if (!outcome && !is_away(outcome.err()))
    log::error("spill_stuck", component,
               fmt::format("slot {}: what is on this node's disk does not get into the log: {}", slot.value,
                           outcome.err().detail));
  auto& l = at(slot);
  std::unique_lock lock(l.mutex);
  l.sending = false;
  if (outcome)
    turn_back_if_empty(slot, l);
  else
    l.turning_back = false;
  hand_over(slot, lock);
  lock.unlock();
  if (outcome)
    wake();
}

/// With the lane locked.
void spill::turn_back_if_empty(slot_id slot, lane& l) const {
  if (l.sending || l.under_way > 0 || l.on_the_way_to_disk > 0 || !l.returned.empty() ||
      disk_->begin(raw, slot) != disk_->end(raw, slot))
    return;
  l.spilling = false;
  l.turning_back = false;
  log::info("spill_ends", component, fmt::format("slot {}: all of it is in the log", slot.value));
}

spill_stats spill::stats() const {
  spill_stats s{std::max<std::int64_t>(events_, 0), bytes_, 0, taken_, followed_, refused_};
  for (const auto& l : lanes_) {
    const std::lock_guard lock(l->mutex);
    s.slots += l->spilling ? 1 : 0;
  }
  return s;
}

result<void> spill::healthy() const {
  if (bytes_ >= settings_.bytes_max)
    return error{ec::unavailable,
                 fmt::format("the spill of {} MiB on this node's disk is full", settings_.bytes_max >> 20), ""};
  return disk_->healthy();
}

} // namespace pulse
