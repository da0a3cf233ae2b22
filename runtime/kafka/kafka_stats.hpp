// What a Kafka log counts, for Prometheus: its own counters and a few of librdkafka's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"

namespace pulse {

/// Of the writing side, since the log was opened.
struct producer_counters {
  std::uint64_t entries = 0;
  /// Appends that never reached Kafka: stalled, a full queue, too large.
  std::uint64_t refused = 0;
  /// Appends whose outcome nobody knows.
  std::uint64_t unknown = 0;
  /// Producers made anew after a fatal error.
  std::uint64_t replaced = 0;
  std::size_t queue_bytes = 0;
  int slots_stalled = 0;
};

/// Of librdkafka's own statistics (its STATISTICS.md); those of the latest five seconds.
struct client_numbers {
  int brokers = 0;
  int brokers_up = 0;
  std::int64_t queue_records = 0;
  std::int64_t requests = 0;
  std::int64_t retries = 0;
  std::int64_t request_errors = 0;
  std::int64_t bytes_out = 0;
  std::int64_t bytes_in = 0;
  double round_trip_p50_ms = 0;
  double round_trip_p99_ms = 0;
  /// Fetched and not read yet.
  std::int64_t prefetched_bytes = 0;
};

/// Of librdkafka's JSON; zeros where it says nothing.
client_numbers read_client_numbers(const std::string& json);

struct slot_ends {
  slot_id slot;
  log_offset begin;
  log_offset end;
};

struct kafka_log_stats {
  producer_counters writing;
  client_numbers producer;
  client_numbers consumer;
  std::uint64_t seeks = 0;
  std::uint64_t records_read = 0;
  std::vector<slot_ends> raw;
};

} // namespace pulse
