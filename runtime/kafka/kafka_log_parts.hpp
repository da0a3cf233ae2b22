// What a Kafka log is made of, and its keeper: a thread that asks, orders and counts beside the way of the events.
// Inner to kafka/.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "kafka/kafka_admin.hpp"
#include "kafka/kafka_event_log.hpp"
#include "kafka/kafka_producer.hpp"
#include "kafka/kafka_reader.hpp"

namespace pulse {

class kafka_event_log::parts {
public:
  explicit parts(const kafka_log_settings& s) : settings(s), trims(static_cast<std::size_t>(s.slots), -1) {
    for (int i = 0; i < kafka::topics * s.slots; ++i)
      ends.push_back(std::make_unique<kafka::partition_ends>());
  }

  ~parts();
  result<void> open();
  result<void> learn_ends();
  void keep();
  void keep_beat(int n);
  void carry_out_trims();
  void read_statistics();
  void note_reach(const result<void>& reached);
  std::optional<error> broken() const;

  bool has(log_topic topic, slot_id slot) const {
    return static_cast<int>(topic) < kafka::topics && slot.value >= 0 && slot.value < settings.slots;
  }

  kafka::partition_ends& at(log_topic topic, slot_id slot) const {
    PULSE_ASSERT(has(topic, slot), "a slot that the log does not have");
    return *ends[static_cast<std::size_t>(static_cast<int>(topic) * settings.slots + slot.value)];
  }

  kafka_log_settings settings;
  std::vector<std::unique_ptr<kafka::partition_ends>> ends;
  std::unique_ptr<kafka::reader> reader;
  std::unique_ptr<kafka::admin> admin;
  std::unique_ptr<kafka::producer> producer;
  log_generation generation;
  mutable std::mutex mutex;
  std::condition_variable ending;
  bool stopping = false;
  /// Why no broker answers; nothing when one does.
  std::optional<error> away;
  /// Raw is not what it was: nothing heals that but a restart.
  std::optional<error> lost;
  /// For each slot: raw below it may go; -1 when that is done.
  std::vector<std::int64_t> trims;
  std::string producer_told;
  client_numbers producer_numbers;
  client_numbers consumer_numbers;
  std::thread keeper;
};

} // namespace pulse
