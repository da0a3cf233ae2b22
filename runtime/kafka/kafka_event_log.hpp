// The log of a cluster: the event_log port over Apache Kafka (4.x) through librdkafka. One topic per log_topic, one
// partition per slot. Made by runtime/node when PULSE_EVENT_LOG is kafka.
//
// Writing: one idempotent producer (acks=all), see kafka_producer. Reading: partitions are fetched from offsets that
// the caller names, never from a group's; no transactions. The generation is made of the topic id that Kafka gave
// `raw`, so a topic that was deleted and made again is another log, without a record of ours that could be lost or be
// wrong.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "kafka/kafka_settings.hpp"
#include "kafka/kafka_stats.hpp"
#include "ports/event_log.hpp"

namespace pulse {

class kafka_event_log final : public event_log {
public:
  /// Makes topics that are not there and checks those that are. Errors: `invalid` (settings; topics that are not as the
  /// settings say; what to do), `unavailable` (no broker answers, or it refuses us, with its reason).
  static result<std::unique_ptr<kafka_event_log>> open(const kafka_log_settings& settings);

  /// Hands over what waits and gives it two seconds; what has no answer then is answered with `timeout`.
  ~kafka_event_log() override;

  log_generation generation() const override;
  int slots() const override;
  void append(log_topic topic, slot_id slot, std::vector<log_entry> entries, append_done done) override;

  /// Waits up to a second for records that are known to be there. `unavailable` when they do not come; `corrupt` for a
  /// record that no PulseEcom wrote.
  result<std::vector<log_record>> read(log_topic topic, slot_id slot, log_offset from, std::size_t records_max,
                                       std::size_t bytes_max) override;

  /// As far as this node knows: its own appends at once, other nodes' when they are fetched (slots that are read here)
  /// or within five seconds (slots with an on_appended).
  log_offset end(log_topic topic, slot_id slot) const override;
  log_offset begin(log_topic topic, slot_id slot) const override;

  /// Takes effect here at once and on the brokers within a second (one request for all slots); forgotten when the
  /// program dies before.
  result<void> trim(slot_id slot, log_offset below) override;

  /// Without `wake` the slot is given up here, and what was fetched ahead of it is let go.
  void on_appended(slot_id slot, std::function<void()> wake) override;

  /// `unavailable` while no broker answers, or while appends wait and none is acknowledged.
  result<void> healthy() const override;

  kafka_log_stats stats() const;

private:
  class parts;

  explicit kafka_event_log(std::unique_ptr<parts> p);

  std::unique_ptr<parts> parts_;
};

} // namespace pulse
