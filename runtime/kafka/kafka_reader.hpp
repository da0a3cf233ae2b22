// The reading side: partitions fetched ahead, each into a queue of its own, from offsets that the caller names. Inner
// to kafka/.
//
// A slot is read in two ways: forwards, batch after batch, and now and then from further back, to replay a tenant. Each
// has a cursor of its own (on a consumer of its own: librdkafka lets one fetch a partition once), so that a replay does
// not throw away what was fetched ahead. A read that goes on where a cursor stands takes from its queue; any other
// moves a cursor. What is not read fills its queue and is then not fetched any more: that is the pause.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "kafka/kafka_client.hpp"

namespace pulse::kafka {

/// What is known of a partition's ends; `end` only grows.
struct partition_ends {
  std::atomic<std::int64_t> begin{0};
  std::atomic<std::int64_t> end{0};

  void grow_end(std::int64_t to);
  void grow_begin(std::int64_t to);
};

class reader {
public:
  using asked_ends = std::function<result<std::pair<std::int64_t, std::int64_t>>(log_topic, slot_id)>;

  /// `ends`: one for each topic and slot, kept by the caller and moved on here. `ask` tells both ends over the network.
  static result<std::unique_ptr<reader>> make(const kafka_log_settings& settings,
                                              std::vector<std::unique_ptr<partition_ends>>& ends, asked_ends ask);
  ~reader();

  result<std::vector<log_record>> read(log_topic topic, slot_id slot, log_offset from, std::size_t records_max,
                                       std::size_t bytes_max);

  /// For the slot's raw records, from whichever node; nullptr gives the slot up here.
  void on_appended(slot_id slot, std::function<void()> wake);
  /// From any thread: somebody appended to the slot.
  void appended(slot_id slot);
  bool is_followed(slot_id slot) const;

  /// Once a second: lets go what nobody reads, serves callbacks.
  void housekeep();

  /// The client that asks and orders.
  client& forwards() {
    return *consumers_[0];
  }

  std::string take_stats();

  std::uint64_t seeks() const {
    return seeks_;
  }

  std::uint64_t records_read() const {
    return records_read_;
  }

private:
  using time_point = std::chrono::steady_clock::time_point;

  struct cursor {
    client* consumer = nullptr;
    queue_ptr queue;
    std::int64_t next = -1;
    /// Taken from the queue and not asked for yet: a few records.
    std::deque<log_record> ahead;
    time_point used;

    bool started() const {
      return queue != nullptr;
    }
  };

  /// Both cursors of a partition.
  struct partition {
    reader* owner = nullptr;
    log_topic topic = log_topic::raw;
    slot_id slot;
    std::mutex mutex;
    std::array<cursor, 2> cursors;
  };

  reader(const kafka_log_settings& settings, std::vector<std::unique_ptr<partition_ends>>& ends, asked_ends ask);

  static void on_queue_event(rd_kafka_t*, void* opaque);
  static std::size_t index(const partition& p, int slots);
  partition_ends& ends_of(const partition& p);
  cursor& choose(partition& p, std::int64_t from);
  result<void> start(partition& p, cursor& c, std::int64_t from);
  void stop(partition& p, cursor& c);
  result<void> fill(partition& p, cursor& c, std::size_t wanted, int wait_ms);
  result<void> take(partition& p, cursor& c, rd_kafka_message_t& message);
  result<void> out_of_range(partition& p, cursor& c);
  void note_ends(const partition& p, const client& consumer);
  void run_waker();

  kafka_log_settings settings_;
  std::vector<std::unique_ptr<partition_ends>>& ends_;
  asked_ends ask_;
  std::array<std::unique_ptr<client>, 2> consumers_;
  std::vector<std::unique_ptr<partition>> partitions_;
  std::atomic<std::uint64_t> seeks_{0};
  std::atomic<std::uint64_t> records_read_{0};

  mutable std::mutex wakes_mutex_;
  std::vector<std::function<void()>> wakes_;
  std::mutex pending_mutex_;
  std::condition_variable pending_ready_;
  std::vector<bool> pending_;
  bool any_pending_ = false;
  bool stopping_ = false;
  std::thread waker_;
};

} // namespace pulse::kafka
