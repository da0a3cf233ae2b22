// The writing side under errors that a healthy broker does not give, injected by librdkafka's mock cluster, and a fatal
// error on the real one.
#include <catch2/catch_test_macros.hpp>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "event_log_subjects.hpp"
#include "kafka/kafka_producer.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

constexpr std::int16_t produce_api = 0;

/// Two brokers, each with one of two slots, in this process.
class mock_kafka {
public:
  mock_kafka() {
    char why[256];
    handle_ = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why);
    REQUIRE(handle_ != nullptr);
    cluster = rd_kafka_mock_cluster_new(handle_, 2);
    settings.brokers = rd_kafka_mock_cluster_bootstraps(cluster);
    settings.topic_prefix = "mock";
    settings.slots = 2;
    for (const char* topic : {"raw", "enriched", "scored", "failed", "alerts"})
      REQUIRE(rd_kafka_mock_topic_create(cluster, (std::string("mock.") + topic).c_str(), 2, 1) ==
              RD_KAFKA_RESP_ERR_NO_ERROR);
    for (int slot : {0, 1})
      REQUIRE(rd_kafka_mock_partition_set_leader(cluster, "mock.raw", slot, slot + 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  ~mock_kafka() {
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(handle_);
  }

  mock_kafka(const mock_kafka&) = delete;
  mock_kafka& operator=(const mock_kafka&) = delete;

  std::unique_ptr<kafka::producer> producer() {
    auto made = kafka::producer::make(settings, [this](log_topic, slot_id slot, std::int64_t end) {
      const std::lock_guard lock(mutex_);
      ends_[slot.value] = std::max(ends_[slot.value], end);
    });
    REQUIRE(made.ok());
    return std::move(*made);
  }

  std::int64_t end(int slot) {
    const std::lock_guard lock(mutex_);
    return ends_[slot];
  }

  kafka_log_settings settings;
  rd_kafka_mock_cluster_t* cluster = nullptr;

private:
  rd_kafka_t* handle_ = nullptr;
  std::mutex mutex_;
  std::map<int, std::int64_t> ends_;
};

std::future<result<log_offset>> send(kafka::producer& p, int slot, std::vector<log_entry> entries) {
  auto promise = std::make_shared<std::promise<result<log_offset>>>();
  auto future = promise->get_future();
  p.append(log_topic::raw, slot_id{slot}, std::move(entries),
           [promise](result<log_offset> r) { promise->set_value(std::move(r)); });
  return future;
}

result<log_offset> answer(std::future<result<log_offset>> future) {
  REQUIRE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  return future.get();
}

} // namespace

TEST_CASE("errors that pass are tried again, and the records are there once", "[log][kafka]") {
  mock_kafka mock;
  mock.settings.ack_ms_max = mock.settings.message_timeout_ms;
  auto p = mock.producer();
  REQUIRE(answer(send(*p, 0, {entry("warm")})).ok());
  rd_kafka_mock_push_request_errors(mock.cluster, produce_api, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                    RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__TRANSPORT);
  CHECK(*answer(send(*p, 0, {entry("a"), entry("b")})) == log_offset{1});
  CHECK(mock.end(0) == 3);
  CHECK(p->counters().unknown == 0);
}

TEST_CASE("what Kafka may have and did not say is unknown, and what it refused is not there", "[log][kafka]") {
  mock_kafka mock;
  mock.settings.ack_ms_max = mock.settings.message_timeout_ms;
  auto p = mock.producer();
  REQUIRE(answer(send(*p, 0, {entry("warm")})).ok());
  rd_kafka_mock_push_request_errors(mock.cluster, produce_api, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
  CHECK(answer(send(*p, 0, {entry("a")})).err().code == ec::too_large);
  CHECK(*answer(send(*p, 0, {entry("b")})) == log_offset{1});
}

TEST_CASE("a dead partition is refused after its limit and stops nobody else", "[log][kafka][f:2.11]") {
  mock_kafka mock;
  mock.settings.queue_bytes_max = 64 << 10;
  auto p = mock.producer();
  REQUIRE(answer(send(*p, 0, {entry("warm")})).ok());
  REQUIRE(answer(send(*p, 1, {entry("warm")})).ok());
  REQUIRE(rd_kafka_mock_broker_set_down(mock.cluster, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  // Far more than a lane may hold: the bound refuses, the limit answers the rest, and memory stays where it is.
  std::vector<std::future<result<log_offset>>> stuck;
  for (int i = 0; i < 200; ++i)
    stuck.push_back(send(*p, 0, {entry(std::string(4000, 'x'))}));
  CHECK(p->counters().queue_bytes <= (64 << 10) + 5000);
  for (int i = 0; i < 50; ++i)
    REQUIRE(answer(send(*p, 1, {entry("lively")})).ok());
  for (auto& f : stuck) {
    const auto r = answer(std::move(f));
    REQUIRE_FALSE(r.ok());
    CHECK((r.err().code == ec::unavailable || r.err().code == ec::timeout));
  }
  CHECK(p->counters().slots_stalled == 1);
  CHECK(answer(send(*p, 0, {entry("x")})).err().code == ec::unavailable);
  REQUIRE(rd_kafka_mock_broker_set_up(mock.cluster, 1) == RD_KAFKA_RESP_ERR_NO_ERROR);
  CHECK(eventually([&] { return answer(send(*p, 0, {entry("again")})).ok(); }));
  CHECK(p->counters().slots_stalled == 0);
}

TEST_CASE("a fatal error makes a new producer, and what was under way is unknown", "[log][kafka]") {
  kafka_subject subject;
  auto made = kafka::producer::make(subject.settings, nullptr);
  REQUIRE(made.ok());
  auto& p = **made;
  REQUIRE(answer(send(p, 0, {entry("before")})).ok());
  std::vector<std::future<result<log_offset>>> under_way;
  for (int i = 0; i < 20; ++i)
    under_way.push_back(send(p, 0, {entry("during")}));
  p.break_for_test();
  for (auto& f : under_way)
    if (const auto r = answer(std::move(f)); !r)
      CHECK((r.err().code == ec::timeout || r.err().code == ec::unavailable));
  CHECK(eventually([&] { return p.counters().replaced == 1; }));
  CHECK(eventually([&] { return answer(send(p, 0, {entry("after")})).ok(); }));
  CHECK(p.counters().queue_bytes == 0);
}
