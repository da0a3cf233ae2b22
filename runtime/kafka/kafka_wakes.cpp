// Who is woken when a slot has new records. librdkafka tells on a thread of its own and under a lock of its own, so the
// news goes over a thread of ours, on which a wake may ask the log anything that does not block.
#include "kafka/kafka_reader.hpp"

namespace pulse::kafka {

void reader::on_queue_event(rd_kafka_t*, void* opaque) {
  const auto* p = static_cast<const partition*>(opaque);
  p->owner->appended(p->slot);
}

void reader::appended(slot_id slot) {
  {
    const std::lock_guard lock(pending_mutex_);
    pending_[static_cast<std::size_t>(slot.value)] = true;
    any_pending_ = true;
  }
  pending_ready_.notify_one();
}

void reader::run_waker() {
  std::vector<bool> now(wakes_.size());
  for (;;) {
    {
      std::unique_lock lock(pending_mutex_);
      pending_ready_.wait(lock, [this] { return stopping_ || any_pending_; });
      if (stopping_)
        return;
      now.swap(pending_);
      pending_.assign(now.size(), false);
      any_pending_ = false;
    }
    for (std::size_t i = 0; i < now.size(); ++i)
      if (now[i])
        for (const auto& consumer : consumers_)
          note_ends(*partitions_[i], *consumer);
    const std::lock_guard lock(wakes_mutex_);
    for (std::size_t i = 0; i < now.size(); ++i)
      if (now[i] && wakes_[i])
        wakes_[i]();
  }
}

void reader::on_appended(slot_id slot, std::function<void()> wake) {
  const bool given_up = wake == nullptr;
  {
    const std::lock_guard lock(wakes_mutex_);
    wakes_[static_cast<std::size_t>(slot.value)] = std::move(wake);
  }
  if (!given_up)
    return;
  auto& p = *partitions_[static_cast<std::size_t>(slot.value)];
  const std::lock_guard lock(p.mutex);
  for (auto& c : p.cursors)
    stop(p, c);
}

bool reader::is_followed(slot_id slot) const {
  const std::lock_guard lock(wakes_mutex_);
  return wakes_[static_cast<std::size_t>(slot.value)] != nullptr;
}

} // namespace pulse::kafka
