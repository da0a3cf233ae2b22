// How a source's client is set up, and what it says outside of any call, in words for the tenant.
#pragma once

#include <librdkafka/rdkafka.h>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <vector>

#include "base/net.hpp"
#include "kafka/kafka_client.hpp"
#include "ports/source_reader.hpp"

namespace pulse::kafka {

/// The worst that a source's client reported. Filled on librdkafka's threads, read on the reader's; it stays at its
/// place as long as the client.
class source_events {
public:
  explicit source_events(std::vector<cidr> allow);
  source_events(const source_events&) = delete;
  source_events& operator=(const source_events&) = delete;

  /// Connections, errors and log lines come here.
  void listen(rd_kafka_conf_t& conf);

  /// Whether the tenant may be connected there; notes it if not.
  bool is_open(const sockaddr& address);
  void note(rd_kafka_resp_err_t code, const char* reason);

  /// The worst since the last time that all was well; `otherwise` where nothing was heard.
  source_fault fault(const std::string& otherwise) const;
  /// Trying again at once would not help.
  bool is_hopeless() const;
  bool is_down() const;
  void all_is_well();

private:
  const std::vector<cidr> allow_;
  mutable std::mutex mutex_;
  source_fault worst_;
  bool down_ = false;
};

client::pairs source_properties(const source::kafka_config& c);

/// What a broker answered about the topic.
source_fault fault_of(rd_kafka_resp_err_t code, const std::string& topic);

} // namespace pulse::kafka
