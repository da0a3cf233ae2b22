#include "kafka/kafka_stats.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace pulse {

client_numbers read_client_numbers(const std::string& json) {
  client_numbers out;
  const auto all = nlohmann::json::parse(json, nullptr, false);
  if (!all.is_object())
    return out;
  out.queue_records = all.value("msg_cnt", std::int64_t{0});
  out.requests = all.value("tx", std::int64_t{0});
  out.bytes_out = all.value("tx_bytes", std::int64_t{0});
  out.bytes_in = all.value("rx_bytes", std::int64_t{0});
  const auto none = nlohmann::json::object();
  // Named, because items() only refers to what it is called on.
  const auto brokers = all.value("brokers", none);
  const auto topics = all.value("topics", none);
  for (const auto& [name, broker] : brokers.items()) {
    out.retries += broker.value("txretries", std::int64_t{0});
    out.request_errors += broker.value("txerrs", std::int64_t{0}) + broker.value("req_timeouts", std::int64_t{0});
    // What is known of a broker only by its address in the settings is there twice.
    if (broker.value("nodeid", -1) < 0)
      continue;
    ++out.brokers;
    out.brokers_up += broker.value("state", "") == "UP" ? 1 : 0;
    // Microseconds. The slowest broker is the one to look at.
    const auto rtt = broker.value("rtt", none);
    out.round_trip_p50_ms = std::max(out.round_trip_p50_ms, rtt.value("p50", 0.0) / 1000);
    out.round_trip_p99_ms = std::max(out.round_trip_p99_ms, rtt.value("p99", 0.0) / 1000);
  }
  for (const auto& [topic, t] : topics.items()) {
    const auto partitions = t.value("partitions", none);
    for (const auto& [id, p] : partitions.items())
      out.prefetched_bytes += p.value("fetchq_size", std::int64_t{0});
  }
  return out;
}

} // namespace pulse
