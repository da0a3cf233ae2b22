// Questions and orders to the brokers that are no records: topics made and checked, offsets asked for, old records
// deleted. Each blocks for up to its limit; none is called on the way of an event. Inner to kafka/.
#pragma once

#include <chrono>
#include <vector>

#include "kafka/kafka_client.hpp"

namespace pulse::kafka {

using milliseconds = std::chrono::milliseconds;

/// A partition of one of our topics, and an offset in it.
struct place {
  log_topic topic = log_topic::raw;
  slot_id slot;
  std::int64_t offset = 0;
};

class admin {
public:
  admin(client& c, const kafka_log_settings& settings) : client_(c), settings_(settings) {
  }

  /// Whether a broker answers: metadata of raw.
  result<void> reach(milliseconds limit);

  /// Makes the topics that are missing, then checks all five: partitions, replicas, min.insync.replicas; raw also for
  /// what would lose or move records by itself. Several nodes may do so at once. Error: `invalid`, `unavailable`.
  result<void> ensure_topics(milliseconds limit);

  /// Made of raw's topic id: 2^52 plus its top 52 bits, so that a JSON number holds it exactly.
  result<log_generation> generation(milliseconds limit);

  /// Each place with its offset set: the first one still there (`earliest`) or the next one to come.
  result<std::vector<place>> offsets(std::vector<place> wanted, bool earliest, milliseconds limit);

  /// Deletes what lies below each offset; the places that failed are given back, to be tried again.
  result<std::vector<place>> delete_below(const std::vector<place>& bounds, milliseconds limit);

private:
  struct topic_state {
    bool exists = false;
    int partitions = 0;
    int replicas = 0;
    bool led = false;
  };

  result<std::vector<topic_state>> look(milliseconds limit);
  result<void> create(const std::vector<log_topic>& missing, milliseconds limit);
  result<void> check(const std::vector<topic_state>& found, milliseconds limit);
  result<void> check_configuration(log_topic topic, const rd_kafka_ConfigResource_t* resource) const;
  options_ptr options(rd_kafka_admin_op_t op, milliseconds limit) const;
  result<event_ptr> answer(const queue_ptr& queue, milliseconds limit, std::string_view doing) const;
  error failed(std::string_view doing, std::string_view why) const;

  client& client_;
  const kafka_log_settings& settings_;
};

} // namespace pulse::kafka
