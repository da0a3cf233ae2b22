#include "kafka/kafka_source_reader.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kafka/kafka_client.hpp"
#include "kafka/kafka_source_events.hpp"

namespace pulse::kafka {

namespace {

using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto open_limit = milliseconds(8000);
constexpr auto look_limit = milliseconds(500);
constexpr int watermark_limit_ms = 5000;
constexpr auto partitions_looked_at = std::chrono::minutes(1);
constexpr std::size_t taken_at_once = 256;

} // namespace

class topic_reader final : public source_reader {
public:
  explicit topic_reader(const source_start& start) :
    config_(start.config), events_(std::make_unique<source_events>(start.allow)) {
    origin_.topic = config_.topic;
  }

  ~topic_reader() override {
    if (queue_)
      for (const auto& [partition, next] : begins_)
        (void)rd_kafka_consume_stop(topic_.get(), partition);
    queue_.reset();
    topic_.reset();
    if (handle_ != nullptr)
      rd_kafka_destroy(handle_);
  }

  const source::origin& origin() const override {
    return origin_;
  }

  const source::positions& begins() const override {
    return begins_;
  }

  std::optional<source_fault> open(const source_start& start);
  source_result<source_batch> read(std::size_t records_max, std::size_t bytes_max, int wait_ms) override;

private:
  std::optional<source_fault> connect();
  std::optional<source_fault> find_topic();
  void name_topic();
  std::optional<source_fault> start_partitions(const source_start& start);
  std::optional<source_fault> fill(std::size_t wanted, int wait_ms);
  std::optional<source_fault> look_for_partitions();
  source::positions ends() const;

  source::kafka_config config_;
  /// Behind a pointer: librdkafka's threads have its address.
  std::unique_ptr<source_events> events_;
  source::origin origin_;
  rd_kafka_t* handle_ = nullptr;
  topic_ptr topic_;
  queue_ptr queue_;
  int partitions_ = 0;
  source::positions begins_;
  std::string note_;
  /// Taken from the client and not handed out yet.
  std::deque<source::record> ahead_;
  steady::time_point looked_at_ = steady::now();
};

std::optional<source_fault> topic_reader::open(const source_start& start) {
  if (auto problem = connect())
    return problem;
  if (auto problem = find_topic())
    return problem;
  name_topic();
  return start_partitions(start);
}

std::optional<source_fault> topic_reader::connect() {
  conf_ptr conf(rd_kafka_conf_new());
  if (const auto bad = set_all(*conf, source_properties(config_)))
    return source_fault{bad->name.starts_with("ssl") ? "tls" : "failed",
                        fmt::format("{} is not usable: {}", bad->name, bad->why)};
  events_->listen(*conf);
  std::string why;
  handle_ = make_handle(RD_KAFKA_CONSUMER, std::move(conf), why);
  if (handle_ == nullptr)
    return source_fault{config_.uses_tls() ? "tls" : "failed", fmt::format("the settings are not usable: {}", why)};
  topic_.reset(rd_kafka_topic_new(handle_, config_.topic.c_str(), nullptr));
  if (!topic_)
    return source_fault{"unknown_topic", fmt::format("'{}' is no name of a topic", config_.topic)};
  return std::nullopt;
}

std::optional<source_fault> topic_reader::find_topic() {
  const auto deadline = steady::now() + open_limit;
  for (;;) {
    const rd_kafka_metadata_t* found = nullptr;
    const auto code = rd_kafka_metadata(handle_, 0, topic_.get(), &found, static_cast<int>(look_limit.count()));
    rd_kafka_poll(handle_, 0);
    const metadata_ptr freed(found);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && found->topic_cnt == 1) {
      const auto& topic = found->topics[0];
      if (topic.err != RD_KAFKA_RESP_ERR_NO_ERROR && topic.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
        return fault_of(topic.err, config_.topic);
      partitions_ = topic.partition_cnt;
      if (partitions_ > 0)
        return std::nullopt;
    }
    if (events_->is_hopeless() || steady::now() >= deadline)
      return events_->fault(
          fmt::format("no broker of {} answers: {}", fmt::join(config_.brokers, ", "), rd_kafka_err2str(code)));
  }
}

/// Kafka's id of the topic, where it has one and tells; else the cluster's with the name.
void topic_reader::name_topic() {
  const char* names[] = {config_.topic.c_str()};
  auto* asked = rd_kafka_TopicCollection_of_topic_names(names, 1);
  const queue_ptr answers(rd_kafka_queue_new(handle_));
  const options_ptr options(rd_kafka_AdminOptions_new(handle_, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS));
  std::array<char, 256> why{};
  (void)rd_kafka_AdminOptions_set_request_timeout(options.get(), watermark_limit_ms, why.data(), why.size());
  rd_kafka_DescribeTopics(handle_, asked, options.get(), answers.get());
  rd_kafka_TopicCollection_destroy(asked);
  const event_ptr event(rd_kafka_queue_poll(answers.get(), watermark_limit_ms + 1000));
  if (event && rd_kafka_event_error(event.get()) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    std::size_t n = 0;
    const auto** told = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event.get()), &n);
    const auto* id = n == 1 ? rd_kafka_TopicDescription_topic_id(told[0]) : nullptr;
    if (id != nullptr && rd_kafka_Uuid_most_significant_bits(id) != 0) {
      origin_.topic_id = rd_kafka_Uuid_base64str(id);
      return;
    }
  }
  auto* cluster = rd_kafka_clusterid(handle_, watermark_limit_ms);
  origin_.topic_id = fmt::format("{}/{}", cluster != nullptr ? cluster : "", config_.topic);
  if (cluster != nullptr)
    rd_kafka_mem_free(handle_, cluster);
}

std::optional<source_fault> topic_reader::start_partitions(const source_start& start) {
  const bool known = start.topic_id == origin_.topic_id;
  if (!known && !start.topic_id.empty())
    note_ = "the topic was deleted and made again: it is read from its beginning";
  source::positions from;
  for (int p = 0; p < partitions_; ++p) {
    std::int64_t low = 0, high = 0;
    const auto code =
        rd_kafka_query_watermark_offsets(handle_, config_.topic.c_str(), p, &low, &high, watermark_limit_ms);
    rd_kafka_poll(handle_, 0);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
      return code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
                 ? fault_of(code, config_.topic)
                 : events_->fault(fmt::format("partition {} does not answer: {}", p, rd_kafka_err2str(code)));
    const auto stored = start.next.find(p);
    // A partition that came later has nothing from before.
    const bool at_end = start.topic_id.empty() && config_.start == source::start_at::latest;
    auto next = known && stored != start.next.end() ? stored->second : at_end ? high : low;
    if (next < low) {
      note_ = fmt::format("partition {}: records {} to {} were deleted by the topic's retention before they were read",
                          p, next, low - 1);
      next = low;
    }
    from[p] = std::min(next, high);
  }
  queue_.reset(rd_kafka_queue_new(handle_));
  for (const auto& [p, next] : from) {
    if (rd_kafka_consume_start_queue(topic_.get(), p, next, queue_.get()) != 0)
      return fault_of(rd_kafka_last_error(), config_.topic);
    begins_[p] = next;
  }
  events_->all_is_well();
  return std::nullopt;
}

std::optional<source_fault> topic_reader::fill(std::size_t wanted, int wait_ms) {
  std::array<rd_kafka_message_t*, taken_at_once> messages{};
  const auto n = std::min(wanted, messages.size());
  auto got = rd_kafka_consume_batch_queue(queue_.get(), 0, messages.data(), n);
  if (got == 0 && wait_ms > 0)
    got = rd_kafka_consume_batch_queue(queue_.get(), wait_ms, messages.data(), 1);
  rd_kafka_poll(handle_, 0);
  std::optional<source_fault> problem;
  for (ssize_t i = 0; i < got; ++i) {
    const auto& m = *messages[static_cast<std::size_t>(i)];
    if (m.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_timestamp_type_t kind{};
      const auto at = rd_kafka_message_timestamp(&m, &kind);
      ahead_.push_back({m.partition, m.offset, std::max<std::int64_t>(at, 0),
                        std::string(static_cast<const char*>(m.payload), m.payload == nullptr ? 0 : m.len)});
    } else if (m.err != RD_KAFKA_RESP_ERR__PARTITION_EOF && !problem) {
      problem = fault_of(m.err, config_.topic);
    }
    rd_kafka_message_destroy(messages[static_cast<std::size_t>(i)]);
  }
  if (got > 0 && !problem)
    events_->all_is_well();
  return problem;
}

/// Partitions that were added are read after the source was opened anew.
std::optional<source_fault> topic_reader::look_for_partitions() {
  if (steady::now() - looked_at_ < partitions_looked_at)
    return std::nullopt;
  looked_at_ = steady::now();
  const rd_kafka_metadata_t* found = nullptr;
  const auto code = rd_kafka_metadata(handle_, 0, topic_.get(), &found, static_cast<int>(look_limit.count()));
  const metadata_ptr freed(found);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || found->topic_cnt != 1)
    return std::nullopt;
  if (found->topics[0].err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
    return fault_of(found->topics[0].err, config_.topic);
  if (found->topics[0].partition_cnt > partitions_)
    return source_fault{"failed", "the topic has more partitions now: they are read in a moment"};
  return std::nullopt;
}

source::positions topic_reader::ends() const {
  source::positions out;
  for (const auto& [p, begin] : begins_) {
    std::int64_t low = -1, high = -1;
    if (rd_kafka_get_watermark_offsets(handle_, config_.topic.c_str(), p, &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        high >= 0)
      out[p] = high;
  }
  return out;
}

source_result<source_batch> topic_reader::read(std::size_t records_max, std::size_t bytes_max, int wait_ms) {
  if (ahead_.empty())
    if (auto problem = fill(records_max, wait_ms))
      return *problem;
  if (ahead_.empty()) {
    if (events_->is_down() || events_->is_hopeless())
      return events_->fault(fmt::format("no broker of {} answers", fmt::join(config_.brokers, ", ")));
    if (auto problem = look_for_partitions())
      return *problem;
  }
  source_batch out;
  std::size_t bytes = 0;
  while (!ahead_.empty() && out.records.size() < records_max &&
         (out.records.empty() || bytes + ahead_.front().value.size() <= bytes_max)) {
    bytes += ahead_.front().value.size();
    out.records.push_back(std::move(ahead_.front()));
    ahead_.pop_front();
  }
  out.ends = ends();
  out.note = std::exchange(note_, {});
  return out;
}

} // namespace pulse::kafka

namespace pulse {

source_result<std::unique_ptr<source_reader>> open_kafka_source(const source_start& start) {
  auto reader = std::make_unique<kafka::topic_reader>(start);
  if (auto problem = reader->open(start))
    return *problem;
  return std::unique_ptr<source_reader>(std::move(reader));
}

} // namespace pulse
