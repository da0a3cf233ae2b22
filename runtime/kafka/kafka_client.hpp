// librdkafka behind RAII: handles that free themselves, a configuration made of our settings, errors as values. Inner
// to kafka/.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <librdkafka/rdkafka.h>

#include "kafka/kafka_settings.hpp"
#include "ports/event_log.hpp"

namespace pulse::kafka {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};

using topic_ptr = std::unique_ptr<rd_kafka_topic_t, freed_by<rd_kafka_topic_destroy>>;
using queue_ptr = std::unique_ptr<rd_kafka_queue_t, freed_by<rd_kafka_queue_destroy>>;
using conf_ptr = std::unique_ptr<rd_kafka_conf_t, freed_by<rd_kafka_conf_destroy>>;
using event_ptr = std::unique_ptr<rd_kafka_event_t, freed_by<rd_kafka_event_destroy>>;
using options_ptr = std::unique_ptr<rd_kafka_AdminOptions_t, freed_by<rd_kafka_AdminOptions_destroy>>;
using list_ptr = std::unique_ptr<rd_kafka_topic_partition_list_t, freed_by<rd_kafka_topic_partition_list_destroy>>;
using metadata_ptr = std::unique_ptr<const rd_kafka_metadata_t, freed_by<rd_kafka_metadata_destroy>>;

inline constexpr int topics = 5;

/// PREFIX.raw, PREFIX.enriched ...
std::string topic_name(const kafka_log_settings& settings, log_topic topic);

/// What a client reports outside of any call: the last error in words, whether it is beyond help, statistics.
class client_events {
public:
  void note(rd_kafka_resp_err_t code, const std::string& reason);
  void note_stats(std::string json);

  /// `; the last that was heard: …`, or nothing.
  std::string last_words() const;
  /// The brokers said that they do not want us: a wrong certificate, a wrong password.
  bool refused() const;
  bool fatal() const;
  /// The latest statistics that nobody took yet.
  std::string take_stats();

private:
  mutable std::mutex mutex_;
  std::string last_;
  bool refused_ = false;
  bool fatal_ = false;
  std::string stats_;
};

/// One rd_kafka_t with the five topics. Callbacks run on whatever thread polls.
class client {
public:
  using pairs = std::vector<std::pair<std::string, std::string>>;
  using delivery_report = void (*)(rd_kafka_t*, const rd_kafka_message_t*, void*);

  /// `more`: properties beyond those that every client has. With `report` a producer, else a consumer. `opaque` goes to
  /// the report. Errors: `invalid`, with librdkafka's words.
  static result<std::unique_ptr<client>> make(const kafka_log_settings& settings, const pairs& more,
                                              delivery_report report = nullptr, void* opaque = nullptr);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  rd_kafka_t* handle() const {
    return handle_;
  }

  rd_kafka_topic_t* topic(log_topic t) const {
    return topics_[static_cast<std::size_t>(t)].get();
  }

  client_events& events() {
    return events_;
  }

  void* opaque() const {
    return opaque_;
  }

private:
  client() = default;

  client_events events_;
  void* opaque_ = nullptr;
  rd_kafka_t* handle_ = nullptr;
  std::vector<topic_ptr> topics_;
};

/// A property that librdkafka does not take, and why not.
struct bad_property {
  std::string name;
  std::string why;
};

/// Sets them in order, up to the first that it does not take.
std::optional<bad_property> set_all(rd_kafka_conf_t& conf, const client::pairs& properties);

/// Makes the client, which owns `conf` from then on; null, and `why`, where it can't be made.
rd_kafka_t* make_handle(rd_kafka_type_t type, conf_ptr conf, std::string& why);

} // namespace pulse::kafka
