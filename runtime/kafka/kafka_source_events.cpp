#include "kafka/kafka_source_events.hpp"

#include <cerrno>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pulse::kafka {

namespace {

int on_connect(int fd, const sockaddr* address, int length, const char*, void* opaque) {
  if (!static_cast<source_events*>(opaque)->is_open(*address))
    return EACCES;
  return ::connect(fd, address, static_cast<socklen_t>(length)) == 0 || errno == EINPROGRESS ? 0 : errno;
}

void on_error(rd_kafka_t*, int code, const char* reason, void* opaque) {
  static_cast<source_events*>(opaque)->note(static_cast<rd_kafka_resp_err_t>(code), reason);
}

/// What a tenant's broker does is the tenant's to see, not our log's.
void on_log(const rd_kafka_t*, int, const char*, const char*) {
}

} // namespace

source_events::source_events(std::vector<cidr> allow) : allow_(std::move(allow)) {
}

void source_events::listen(rd_kafka_conf_t& conf) {
  rd_kafka_conf_set_opaque(&conf, this);
  rd_kafka_conf_set_error_cb(&conf, on_error);
  rd_kafka_conf_set_log_cb(&conf, on_log);
  rd_kafka_conf_set_connect_cb(&conf, on_connect);
}

bool source_events::is_open(const sockaddr& address) {
  const auto ip = ip_address::from(address);
  if (ip && (is_public(*ip) || contains(allow_, *ip)))
    return true;
  const std::lock_guard lock(mutex_);
  worst_ = {"address_refused",
            fmt::format("{} is no address of the public internet; an operator may allow it (webhook_allow, pulse "
                        "endpoint allow)",
                        ip ? ip->str() : std::string("a broker's address"))};
  return false;
}

void source_events::note(rd_kafka_resp_err_t code, const char* reason) {
  const std::lock_guard lock(mutex_);
  const auto kind = code == RD_KAFKA_RESP_ERR__AUTHENTICATION ? "authentication"
                    : code == RD_KAFKA_RESP_ERR__SSL          ? "tls"
                                                              : "unreachable";
  down_ = down_ || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
  // "All brokers are down" and "connection refused" follow on the reason and say less.
  if (worst_.code.empty() || worst_.code == "unreachable")
    if (worst_.code.empty() || code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
      worst_ = {kind, reason};
}

source_fault source_events::fault(const std::string& otherwise) const {
  const std::lock_guard lock(mutex_);
  return worst_.code.empty() ? source_fault{"unreachable", otherwise} : worst_;
}

bool source_events::is_hopeless() const {
  const std::lock_guard lock(mutex_);
  return !worst_.code.empty() && worst_.code != "unreachable";
}

bool source_events::is_down() const {
  const std::lock_guard lock(mutex_);
  return down_;
}

void source_events::all_is_well() {
  const std::lock_guard lock(mutex_);
  worst_ = {};
  down_ = false;
}

client::pairs source_properties(const source::kafka_config& c) {
  client::pairs out = {{"bootstrap.servers", fmt::format("{}", fmt::join(c.brokers, ","))},
                       {"client.id", "pulse-source"},
                       {"security.protocol", c.protocol},
                       {"auto.offset.reset", "error"},
                       {"isolation.level", "read_committed"},
                       {"allow.auto.create.topics", "false"},
                       {"queued.max.messages.kbytes", "8192"},
                       {"fetch.message.max.bytes", "1048576"},
                       {"fetch.max.bytes", "8388608"},
                       {"receive.message.max.bytes", "16777216"},
                       {"reconnect.backoff.ms", "200"},
                       {"reconnect.backoff.max.ms", "2000"},
                       {"socket.connection.setup.timeout.ms", "5000"},
                       {"socket.keepalive.enable", "true"}};
  if (!c.ca.empty())
    out.emplace_back("ssl.ca.pem", c.ca);
  if (!c.cert.empty()) {
    out.emplace_back("ssl.certificate.pem", c.cert);
    out.emplace_back("ssl.key.pem", c.key);
  }
  if (c.uses_sasl()) {
    out.emplace_back("sasl.mechanism", c.mechanism);
    out.emplace_back("sasl.username", c.user);
    out.emplace_back("sasl.password", c.password);
  }
  return out;
}

source_fault fault_of(rd_kafka_resp_err_t code, const std::string& topic) {
  switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID:
      return {"unknown_topic", fmt::format("the brokers have no topic '{}', or do not show it to this user", topic)};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
      return {"not_authorized", fmt::format("the user may not read the topic '{}': it needs Read and Describe", topic)};
    default: return {"failed", fmt::format("topic '{}': {}", topic, rd_kafka_err2str(code))};
  }
}

} // namespace pulse::kafka
