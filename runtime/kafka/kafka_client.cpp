#include "kafka/kafka_client.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "telemetry/log.hpp"

namespace pulse {

result<void> kafka_log_settings::validate() const {
  const auto one_of = [](const std::string& v, std::initializer_list<const char*> allowed) {
    return std::find(allowed.begin(), allowed.end(), v) != allowed.end();
  };
  const bool sasl = security_protocol.starts_with("sasl");
  if (brokers.empty())
    return error{ec::invalid, "the log needs brokers, as host:port, comma separated", "kafka.brokers"};
  if (topic_prefix.empty() || topic_prefix.size() > 200)
    return error{ec::invalid, "topics need a prefix of 1 to 200 characters", "kafka.topic_prefix"};
  if (slots < 1 || slots > 4096)
    return error{ec::invalid, "1 to 4096 slots", "kafka.slots"};
  if (replication_factor < 1 || min_insync_replicas < 1 || min_insync_replicas > replication_factor)
    return error{ec::invalid, "from 1 up, and not more than kafka.replication_factor", "kafka.min_insync_replicas"};
  if (!one_of(security_protocol, {"plaintext", "ssl", "sasl_plaintext", "sasl_ssl"}))
    return error{ec::invalid, "plaintext, ssl, sasl_plaintext or sasl_ssl", "kafka.security_protocol"};
  if (cert.empty() != key.empty())
    return error{ec::invalid, "kafka.cert, kafka.key: both or neither", "kafka.key"};
  if (sasl && !one_of(sasl_mechanism, {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}))
    return error{ec::invalid, "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", "kafka.sasl_mechanism"};
  if (sasl && (sasl_user.empty() || sasl_password.empty()))
    return error{ec::invalid, "SASL needs kafka.sasl_user and kafka.sasl_password", "kafka.sasl_user"};
  if (!one_of(compression, {"none", "lz4", "zstd"}))
    return error{ec::invalid, "none, lz4 or zstd", "kafka.compression"};
  if (message_timeout_ms < 1000 || message_timeout_ms > 10'000 || ack_ms_max < 1 || ack_ms_max > message_timeout_ms)
    return error{ec::invalid, "1,000 to 10,000 ms, and not less than the time for an acknowledgement",
                 "message_timeout_ms"};
  if (queue_bytes_max == 0 || prefetch_bytes_max == 0)
    return error{ec::invalid, "a limit in bytes is above 0", "queue_bytes_max"};
  return {};
}

} // namespace pulse

namespace pulse::kafka {

namespace {

constexpr auto component = "kafka";

void on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
  static_cast<client*>(opaque)->events().note(static_cast<rd_kafka_resp_err_t>(code), reason);
}

int on_stats(rd_kafka_t*, char* json, std::size_t size, void* opaque) {
  static_cast<client*>(opaque)->events().note_stats(std::string(json, size));
  return 0;
}

/// librdkafka holds repeated lines back by itself. Only what a person should know comes this far.
void on_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  if (level <= 4)
    log::warning("kafka_client", component, fmt::format("{}: {}", facility, text));
  else
    log::write(log::level::debug, "kafka_client", component, fmt::format("{}: {}", facility, text));
}

client::pairs common_properties(const kafka_log_settings& s) {
  client::pairs out = {
      {"bootstrap.servers", s.brokers},
      {"client.id", "pulse"},
      {"security.protocol", s.security_protocol},
      {"reconnect.backoff.ms", "50"},
      // A broker that comes back must be found within seconds.
      {"reconnect.backoff.max.ms", "500"},
      {"retry.backoff.ms", "50"},
      {"retry.backoff.max.ms", "500"},
      {"topic.metadata.refresh.fast.interval.ms", "100"},
      {"topic.metadata.refresh.interval.ms", "60000"},
      {"socket.timeout.ms", "10000"},
      {"socket.connection.setup.timeout.ms", "3000"},
      {"socket.nagle.disable", "true"},
      {"socket.keepalive.enable", "true"},
      {"log_level", "5"},
      {"statistics.interval.ms", "5000"},
  };
  if (!s.ca.empty())
    out.emplace_back("ssl.ca.location", s.ca);
  if (!s.cert.empty()) {
    out.emplace_back("ssl.certificate.location", s.cert);
    out.emplace_back("ssl.key.location", s.key);
  }
  if (s.security_protocol.starts_with("sasl")) {
    out.emplace_back("sasl.mechanism", s.sasl_mechanism);
    out.emplace_back("sasl.username", s.sasl_user);
    out.emplace_back("sasl.password", s.sasl_password);
  }
  return out;
}

} // namespace

std::string topic_name(const kafka_log_settings& settings, log_topic topic) {
  constexpr std::array<const char*, topics> names = {"raw", "enriched", "scored", "failed", "alerts"};
  return fmt::format("{}.{}", settings.topic_prefix, names.at(static_cast<std::size_t>(topic)));
}

void client_events::note(rd_kafka_resp_err_t code, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  // "All brokers are down" follows on the reason and says less.
  if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || last_.empty())
    last_ = reason;
  refused_ = refused_ || code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL;
  fatal_ = fatal_ || code == RD_KAFKA_RESP_ERR__FATAL;
}

void client_events::note_stats(std::string json) {
  const std::lock_guard lock(mutex_);
  stats_ = std::move(json);
}

std::string client_events::last_words() const {
  const std::lock_guard lock(mutex_);
  return last_.empty() ? "" : "; the last that was heard: " + last_;
}

bool client_events::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

bool client_events::fatal() const {
  const std::lock_guard lock(mutex_);
  return fatal_;
}

std::string client_events::take_stats() {
  const std::lock_guard lock(mutex_);
  return std::exchange(stats_, {});
}

std::optional<bad_property> set_all(rd_kafka_conf_t& conf, const client::pairs& properties) {
  std::array<char, 512> why{};
  for (const auto& [name, value] : properties)
    if (rd_kafka_conf_set(&conf, name.c_str(), value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK)
      return bad_property{name, why.data()};
  return std::nullopt;
}

rd_kafka_t* make_handle(rd_kafka_type_t type, conf_ptr conf, std::string& why) {
  std::array<char, 512> said{};
  auto* handle = rd_kafka_new(type, conf.get(), said.data(), said.size());
  if (handle != nullptr)
    (void)conf.release();
  else
    why = said.data();
  return handle;
}

result<std::unique_ptr<client>> client::make(const kafka_log_settings& settings, const pairs& more,
                                             delivery_report report, void* opaque) {
  conf_ptr conf(rd_kafka_conf_new());
  auto properties = common_properties(settings);
  properties.insert(properties.end(), more.begin(), more.end());
  if (const auto bad = set_all(*conf, properties))
    return error{ec::invalid, fmt::format("Kafka's client does not take {}: {}", bad->name, bad->why), bad->name};
  std::unique_ptr<client> out(new client);
  out->opaque_ = opaque;
  rd_kafka_conf_set_opaque(conf.get(), out.get());
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_stats_cb(conf.get(), on_stats);
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  if (report != nullptr)
    rd_kafka_conf_set_dr_msg_cb(conf.get(), report);
  std::string why;
  out->handle_ = make_handle(report != nullptr ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, std::move(conf), why);
  if (out->handle_ == nullptr)
    return error{ec::invalid, fmt::format("Kafka's client can't be made: {}", why), "kafka"};
  for (int t = 0; t < topics; ++t) {
    const auto name = topic_name(settings, static_cast<log_topic>(t));
    out->topics_.emplace_back(rd_kafka_topic_new(out->handle_, name.c_str(), nullptr));
    if (!out->topics_.back())
      return error{ec::invalid, fmt::format("{} is no name for a topic", name), "kafka.topic_prefix"};
  }
  return out;
}

client::~client() {
  topics_.clear();
  if (handle_ != nullptr)
    rd_kafka_destroy(handle_);
}

} // namespace pulse::kafka
