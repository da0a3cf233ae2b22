// The writing side: one idempotent producer for all topics and slots. Inner to kafka/.
//
// Each slot of a topic has a lane. An append is handed to librdkafka at once when nothing of its lane is under way,
// else it is held back until that is answered, at most linger_ms_max: one event alone does not wait, many share a
// batch. Delivery reports decide. What is not acknowledged within ack_ms_max is answered with `timeout`; from then on
// the lane is stalled and refuses with `unavailable`, so that nobody waits for a Kafka that is away; the first report
// that is good opens it again, and when nothing is under way any more, the next append is let through to try. Lanes do
// not know each other: a dead partition stops itself alone. A fatal error makes a new producer; what was under way is
// unknown.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "kafka/kafka_client.hpp"
#include "kafka/kafka_stats.hpp"

namespace pulse::kafka {

/// The largest record, key and headers included; the brokers' own limit is 1 MiB unless they are told otherwise.
inline constexpr std::size_t record_bytes_max = 1'000'000;

class producer {
public:
  /// Called on the producer's thread when an append is durable, before its `done`: the offset after its last entry.
  using appended = std::function<void(log_topic, slot_id, std::int64_t end)>;
  /// Called on the producer's thread with statistics of the client.
  using told = std::function<void(std::string json)>;

  static result<std::unique_ptr<producer>> make(const kafka_log_settings& settings, appended on_appended,
                                                told on_stats = nullptr);
  ~producer();

  void append(log_topic topic, slot_id slot, std::vector<log_entry> entries, event_log::append_done done);
  /// Answers on the producer's thread, as for any other append.
  void refuse(event_log::append_done done, error why);

  std::string last_words() const;
  producer_counters counters() const;

  /// For tests: as if a broker had answered with a fatal error.
  void break_for_test();

private:
  using time_point = std::chrono::steady_clock::time_point;
  struct lane;

  struct pending {
    lane* owner = nullptr;
    std::vector<log_entry> entries;
    event_log::append_done done;
    std::size_t bytes = 0;
    time_point since;
    /// Reports that are still to come.
    std::size_t unreported = 0;
    std::int64_t first = INT64_MAX;
    std::int64_t last = -1;
    std::optional<error> problem;
    std::list<std::unique_ptr<pending>>::iterator self;
  };

  struct lane {
    log_topic topic = log_topic::raw;
    slot_id slot;
    std::mutex mutex;
    std::deque<std::unique_ptr<pending>> held;
    /// Handed over and not wholly reported, in that order.
    std::list<std::unique_ptr<pending>> under_way;
    std::size_t bytes = 0;
    std::size_t held_bytes = 0;
    bool stalled = false;
    std::atomic<bool> busy{false};
  };

  struct answer {
    event_log::append_done done;
    result<log_offset> outcome;
  };

  producer(const kafka_log_settings& settings, appended on_appended, told on_stats);

  static void on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque);
  result<std::unique_ptr<client>> make_client();
  void report(const rd_kafka_message_t& message);
  std::optional<error> refusal(const lane& l, const pending& p) const;
  void hand_over(lane& l, std::unique_ptr<pending> p);
  bool send(pending& p, std::size_t index, rd_kafka_t* handle, rd_kafka_topic_t* topic);
  void finish(lane& l, pending& p);
  void sweep(time_point now);
  void sweep(lane& l, time_point now);
  void expire(lane& l, time_point now);
  void run();
  int wait_ms() const;
  void wake();
  void give_answers();
  void replace_broken();
  void close();

  kafka_log_settings settings_;
  appended on_appended_;
  told on_stats_;
  std::vector<std::unique_ptr<lane>> lanes_;
  /// Shared to hand over, alone to replace the client.
  mutable std::shared_mutex client_mutex_;
  std::unique_ptr<client> client_;
  queue_ptr main_queue_;
  std::mutex answers_mutex_;
  std::vector<answer> answers_;
  std::atomic<int> holding_{0};
  std::atomic<int> lanes_busy_{0};
  std::atomic<int> lanes_stalled_{0};
  std::atomic<bool> sleeping_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> unknown_{0};
  std::atomic<std::uint64_t> replaced_{0};
  std::atomic<std::size_t> queue_bytes_{0};
  std::thread thread_;
};

} // namespace pulse::kafka
