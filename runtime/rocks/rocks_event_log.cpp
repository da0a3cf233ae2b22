#include "rocks/rocks_event_log.hpp"

#include <condition_variable>
#include <fmt/format.h>
#include <mutex>
#include <sys/statvfs.h>
#include <thread>

#include "rocks/rocks_log_store.hpp"

namespace pulse {

namespace {

result<std::uint64_t> free_bytes_of(const std::string& path) {
  struct statvfs disk {};
  if (statvfs(path.c_str(), &disk) != 0)
    return error{ec::unavailable, fmt::format("the disk of {} can't be asked for its free space", path), ""};
  return static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
}

std::size_t size_of(const std::vector<log_entry>& entries) {
  std::size_t bytes = 0;
  for (const auto& e : entries)
    bytes += e.key.size() + e.value.size() + e.traceparent.size() + e.source.size() + 64;
  return bytes;
}

} // namespace

/// Queue and thread around the store.
class rocks_event_log::writer {
public:
  writer(const rocks_log_settings& settings, rocks_log_hooks hooks, std::unique_ptr<rocks_log_store> store) :
    settings_(settings),
    hooks_(std::move(hooks)),
    store_(std::move(store)),
    wakes_(static_cast<std::size_t>(settings.slots)) {
    thread_ = std::thread([this] { run(); });
  }

  ~writer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    ready_.notify_one();
    thread_.join();
  }

  rocks_log_store& store() {
    return *store_;
  }

  void append(pending_append a) {
    a.bytes = size_of(a.entries);
    {
      const std::lock_guard lock(mutex_);
      if (!store_->has(a.topic, a.slot))
        a.refused = error{ec::invalid, fmt::format("the log has no slot {}", a.slot.value), ""};
      else if (failed_)
        a.refused = failed_;
      else if (queue_bytes_ > 0 && queue_bytes_ + a.bytes > settings_.queue_bytes_max)
        a.refused = error{ec::unavailable, "the log's queue is full; try again later", ""};
      // Even a refusal goes through the queue: `done` runs on the log's thread, in the order of the calls.
      if (a.refused) {
        a.bytes = 0;
        a.entries.clear();
        ++stats_.refused;
      }
      queue_bytes_ += a.bytes;
      queue_.push_back(std::move(a));
    }
    ready_.notify_one();
  }

  void on_appended(slot_id slot, std::function<void()> wake) {
    const std::lock_guard lock(wakes_mutex_);
    if (store_->has(log_topic::raw, slot))
      wakes_[static_cast<std::size_t>(slot.value)] = std::move(wake);
  }

  result<void> healthy() const {
    {
      const std::lock_guard lock(mutex_);
      if (failed_)
        return *failed_;
    }
    return check_space();
  }

  rocks_log_stats stats() const {
    const std::lock_guard lock(mutex_);
    auto out = stats_;
    out.queue_bytes = queue_bytes_;
    return out;
  }

private:
  void run() {
    std::vector<pending_append> batch;
    while (take(batch)) {
      write(batch);
      batch.clear();
    }
  }

  /// Waits for work and takes what fits in one batch; false when stopping and nothing is left.
  bool take(std::vector<pending_append>& batch) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    std::size_t bytes = 0;
    while (!queue_.empty() && (batch.empty() || bytes + queue_.front().bytes <= settings_.batch_bytes_max)) {
      bytes += queue_.front().bytes;
      batch.push_back(std::move(queue_.front()));
      queue_.pop_front();
    }
    return !batch.empty();
  }

  void write(std::vector<pending_append>& batch) {
    std::size_t bytes = 0;
    for (const auto& a : batch)
      bytes += a.bytes;
    // The refused leave the batch but not the order in which `done` is called.
    std::vector<std::size_t> places;
    std::vector<pending_append> writing;
    for (std::size_t i = 0; i < batch.size(); ++i)
      if (!batch[i].refused) {
        places.push_back(i);
        writing.push_back(std::move(batch[i]));
      }
    const auto outcome = writing.empty() ? result<void>{} : commit(writing);
    for (std::size_t i = 0; i < places.size(); ++i)
      batch[places[i]] = std::move(writing[i]);
    {
      const std::lock_guard lock(mutex_);
      queue_bytes_ -= bytes;
      count(batch, places.size(), outcome.ok());
    }
    for (auto& a : batch)
      if (a.done)
        a.done(a.refused ? result<log_offset>(*a.refused)
               : outcome ? result<log_offset>(a.first)
                         : result<log_offset>(outcome.err()));
    if (outcome)
      wake(batch);
  }

  result<void> commit(std::vector<pending_append>& writing) {
    {
      const std::lock_guard lock(mutex_);
      if (failed_)
        return *failed_;
    }
    if (const auto space = check_space(); !space)
      return space;
    const auto outcome = store_->commit(writing);
    if (!outcome) {
      const std::lock_guard lock(mutex_);
      failed_ = error{outcome.err().code == ec::no_space ? ec::no_space : ec::unavailable,
                      "the log takes nothing more until it is opened anew: " + outcome.err().detail, ""};
    }
    return outcome;
  }

  void count(const std::vector<pending_append>& batch, std::size_t written, bool ok) {
    if (written == 0)
      return;
    if (!ok) {
      stats_.refused += written;
      return;
    }
    ++stats_.batches;
    bool raw = false;
    for (const auto& a : batch) {
      stats_.entries += a.entries.size();
      raw = raw || (!a.refused && a.topic == log_topic::raw);
    }
    stats_.syncs += raw ? 1 : 0;
  }

  void wake(const std::vector<pending_append>& batch) {
    std::vector<bool> appended(wakes_.size());
    for (const auto& a : batch)
      if (!a.refused && a.topic == log_topic::raw)
        appended[static_cast<std::size_t>(a.slot.value)] = true;
    const std::lock_guard lock(wakes_mutex_);
    for (std::size_t i = 0; i < appended.size(); ++i)
      if (appended[i] && wakes_[i])
        wakes_[i]();
  }

  result<void> check_space() const {
    const auto bytes = hooks_.free_bytes ? hooks_.free_bytes(settings_.path) : free_bytes_of(settings_.path);
    if (!bytes)
      return bytes.err();
    if (*bytes < settings_.free_bytes_min)
      return error{ec::no_space,
                   fmt::format("{} MiB are free on the log's disk, {} is the least (log.disk_free_min_mib); make room",
                               *bytes >> 20, settings_.free_bytes_min >> 20),
                   ""};
    return {};
  }

  rocks_log_settings settings_;
  rocks_log_hooks hooks_;
  std::unique_ptr<rocks_log_store> store_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<pending_append> queue_;
  std::size_t queue_bytes_ = 0;
  bool stopping_ = false;
  std::optional<error> failed_;
  rocks_log_stats stats_;
  std::mutex wakes_mutex_;
  std::vector<std::function<void()>> wakes_;
  std::thread thread_;
};

result<void> rocks_log_settings::validate() const {
  if (path.empty())
    return error{ec::invalid, "the log needs a directory", "path"};
  if (slots < 1 || slots > 4096)
    return error{ec::invalid, "1 to 4096 slots", "slots"};
  if (batch_bytes_max == 0 || queue_bytes_max == 0 || tap_bytes_max == 0)
    return error{ec::invalid, "a limit in bytes is above 0", "queue_bytes_max"};
  return {};
}

result<std::unique_ptr<rocks_event_log>> rocks_event_log::open(const rocks_log_settings& settings, time_ms now,
                                                               rocks_log_hooks hooks) {
  if (const auto valid = settings.validate(); !valid)
    return valid.err();
  auto store = rocks_log_store::open(settings, now, hooks.env);
  if (!store)
    return store.err();
  auto w = std::make_unique<writer>(settings, std::move(hooks), std::move(*store));
  return std::unique_ptr<rocks_event_log>(new rocks_event_log(std::move(w)));
}

rocks_event_log::rocks_event_log(std::unique_ptr<writer> w) : writer_(std::move(w)) {
}

rocks_event_log::~rocks_event_log() = default;

log_generation rocks_event_log::generation() const {
  return writer_->store().generation();
}

int rocks_event_log::slots() const {
  return writer_->store().slots();
}

void rocks_event_log::append(log_topic topic, slot_id slot, std::vector<log_entry> entries, append_done done) {
  pending_append a;
  a.topic = topic;
  a.slot = slot;
  a.entries = std::move(entries);
  a.done = std::move(done);
  writer_->append(std::move(a));
}

result<std::vector<log_record>> rocks_event_log::read(log_topic topic, slot_id slot, log_offset from,
                                                      std::size_t records_max, std::size_t bytes_max) {
  if (!writer_->store().has(topic, slot))
    return error{ec::invalid, fmt::format("the log has no slot {}", slot.value), ""};
  return writer_->store().read(topic, slot, from, records_max, bytes_max);
}

log_offset rocks_event_log::end(log_topic topic, slot_id slot) const {
  return writer_->store().end(topic, slot);
}

log_offset rocks_event_log::begin(log_topic topic, slot_id slot) const {
  return writer_->store().begin(topic, slot);
}

result<void> rocks_event_log::trim(slot_id slot, log_offset below) {
  if (!writer_->store().has(log_topic::raw, slot))
    return error{ec::invalid, fmt::format("the log has no slot {}", slot.value), ""};
  return writer_->store().trim(log_topic::raw, slot, below);
}

void rocks_event_log::on_appended(slot_id slot, std::function<void()> wake) {
  writer_->on_appended(slot, std::move(wake));
}

result<void> rocks_event_log::healthy() const {
  return writer_->healthy();
}

rocks_log_stats rocks_event_log::stats() const {
  return writer_->stats();
}

} // namespace pulse
