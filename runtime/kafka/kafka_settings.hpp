// What a Kafka log is told: where the brokers are, how to speak to them, what its topics are like, and its limits.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace pulse {

struct kafka_log_settings {
  /// `host:port`, comma separated.
  std::string brokers;
  /// Topics are PREFIX.raw and so on: two installations on one Kafka have two prefixes.
  std::string topic_prefix = "pulse";
  /// Partitions of each topic; fixed when they are made.
  int slots = 64;
  int replication_factor = 3;
  int min_insync_replicas = 2;

  /// plaintext, ssl, sasl_plaintext, sasl_ssl.
  std::string security_protocol = "plaintext";
  /// PEM files: the authority of the brokers' certificates; our own certificate and its key.
  std::string ca;
  std::string cert;
  std::string key;
  /// PLAIN, SCRAM-SHA-256, SCRAM-SHA-512.
  std::string sasl_mechanism = "SCRAM-SHA-512";
  std::string sasl_user;
  std::string sasl_password;

  /// none, lz4, zstd.
  std::string compression = "lz4";
  /// Waiting appends of one slot and topic beyond this are refused with `unavailable`; one is always admitted.
  std::size_t queue_bytes_max = 8 << 20;
  /// Fetched ahead of the readers, of all slots together; at least 1 MiB a slot.
  std::size_t prefetch_bytes_max = 128 << 20;
  /// An append that is not acknowledged by then is answered with `timeout`; it may still arrive.
  std::int64_t ack_ms_max = 800;
  /// What Kafka did not acknowledge by then is given up by the producer.
  std::int64_t message_timeout_ms = 10'000;
  /// Appends are held back for each other at most so long, and only while others of the slot are under way.
  std::int64_t linger_ms_max = 5;
  /// What the taps keep.
  std::int64_t tap_retention_ms = 3 * 86'400'000LL;
  /// False: raw keeps everything, for a rebuild from the beginning.
  bool trim = true;

  /// Every problem: `invalid` with the setting's name as pointer.
  result<void> validate() const;
};

} // namespace pulse
