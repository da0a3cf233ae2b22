#include "node/open_log.hpp"

#include <filesystem>

#include "kafka/kafka_event_log.hpp"
#include "rocks/rocks_event_log.hpp"

namespace pulse {

namespace {

template <class Number>
double as_double(Number n) {
  return static_cast<double>(n);
}

void show_kafka(const kafka_log_stats& s, metrics& m) {
  m.gauge("pulse_kafka_brokers_up", "Brokers that the producer is connected to.", s.producer.brokers_up);
  m.gauge("pulse_kafka_brokers_known", "Brokers that Kafka told of.", s.producer.brokers);
  m.gauge("pulse_kafka_queue_bytes", "Appends that Kafka has not answered yet.", as_double(s.writing.queue_bytes));
  m.gauge("pulse_kafka_slots_stalled", "Slots whose appends are refused until one is acknowledged.",
          s.writing.slots_stalled);
  m.gauge("pulse_kafka_records_written", "Records that Kafka acknowledged since the start.",
          as_double(s.writing.entries));
  m.gauge("pulse_kafka_appends_refused", "Appends that were not handed to Kafka, since the start.",
          as_double(s.writing.refused));
  m.gauge("pulse_kafka_appends_unknown", "Appends whose outcome is unknown, since the start.",
          as_double(s.writing.unknown));
  m.gauge("pulse_kafka_producers_replaced", "Producers made anew after a fatal error, since the start.",
          as_double(s.writing.replaced));
  m.gauge("pulse_kafka_requests_retried", "Requests that the producer sent again, since the start.",
          as_double(s.producer.retries));
  m.gauge("pulse_kafka_requests_failed", "Requests of the producer that failed, since the start.",
          as_double(s.producer.request_errors));
  m.gauge("pulse_kafka_round_trip_p50_seconds", "Of the slowest broker, over some seconds.",
          s.producer.round_trip_p50_ms / 1000);
  m.gauge("pulse_kafka_round_trip_p99_seconds", "Of the slowest broker, over some seconds.",
          s.producer.round_trip_p99_ms / 1000);
  m.gauge("pulse_kafka_sent_bytes", "Bytes that the producer sent since the start.", as_double(s.producer.bytes_out));
  m.gauge("pulse_kafka_fetched_bytes", "Bytes that came from the brokers to be read, since the start.",
          as_double(s.consumer.bytes_in));
  m.gauge("pulse_kafka_prefetched_bytes", "Bytes that were fetched ahead and not read yet.",
          as_double(s.consumer.prefetched_bytes));
  m.gauge("pulse_kafka_records_read", "Records that slots read since the start.", as_double(s.records_read));
  m.gauge("pulse_kafka_seeks", "Reads that did not go on where one had ended, since the start.", as_double(s.seeks));
}

result<opened_log> open_kafka(const settings& conf) {
  kafka_log_settings k;
  k.brokers = conf.kafka_brokers;
  k.topic_prefix = conf.kafka_topic_prefix;
  k.slots = static_cast<int>(conf.kafka_slots);
  k.replication_factor = static_cast<int>(conf.kafka_replication_factor);
  k.min_insync_replicas = static_cast<int>(conf.kafka_min_insync_replicas);
  k.security_protocol = conf.kafka_security_protocol;
  k.ca = conf.kafka_ca;
  k.cert = conf.kafka_cert;
  k.key = conf.kafka_key;
  k.sasl_mechanism = conf.kafka_sasl_mechanism;
  k.sasl_user = conf.kafka_sasl_user;
  k.sasl_password = conf.kafka_sasl_password;
  k.compression = conf.kafka_compression;
  k.prefetch_bytes_max = static_cast<std::size_t>(conf.kafka_prefetch_mib) << 20;
  k.tap_retention_ms = conf.kafka_tap_hours * hour_ms;
  k.trim = conf.kafka_trim;
  auto log = kafka_event_log::open(k);
  if (!log)
    return log.err();
  const auto* counted = log->get();
  return opened_log{std::move(*log), [counted](metrics& m) {
                      show_kafka(counted->stats(), m);
                    }};
}

result<std::unique_ptr<rocks_event_log>> open_rocks(const settings& conf, const char* folder, int slots, time_ms now) {
  rocks_log_settings l;
  l.path = conf.data_dir + folder;
  l.slots = slots;
  l.free_bytes_min = static_cast<std::uint64_t>(conf.log_disk_free_min_mib) << 20;
  return rocks_event_log::open(l, now);
}

} // namespace

result<opened_log> open_log(const settings& conf, time_ms now) {
  if (conf.event_log == "kafka")
    return open_kafka(conf);
  auto log = open_rocks(conf, "/log", static_cast<int>(conf.log_slots), now);
  if (!log)
    return log.err();
  return opened_log{std::move(*log), [](metrics&) {
                    }};
}

result<std::unique_ptr<spill>> open_spill(const settings& conf, event_log& log, time_ms now) {
  constexpr auto folder = "/spill";
  std::error_code absent;
  if (conf.event_log != "kafka" ||
      (conf.kafka_spill_mib == 0 && !std::filesystem::exists(conf.data_dir + folder, absent)))
    return std::unique_ptr<spill>();
  auto disk = open_rocks(conf, folder, log.slots(), now);
  if (!disk)
    return disk.err();
  spill_settings s;
  s.bytes_max = static_cast<std::uint64_t>(conf.kafka_spill_mib) << 20;
  return spill::open(log, std::move(*disk), s);
}

void show(const spill_stats& s, metrics& m) {
  m.gauge("pulse_spill_events", "Events that wait on this node's disk for Kafka to come back.", as_double(s.events));
  m.gauge("pulse_spill_bytes", "Their bytes.", as_double(s.bytes));
  m.gauge("pulse_spill_slots", "Slots whose events go to this node's disk.", s.slots);
  m.gauge("pulse_spill_taken", "Events that this node's disk took since the start.", as_double(s.taken));
  m.gauge("pulse_spill_followed", "Events that followed from it into Kafka since the start.", as_double(s.followed));
  m.gauge("pulse_spill_refused", "Appends that neither Kafka nor this node's disk took, since the start.",
          as_double(s.refused));
}

} // namespace pulse
