// What the Kafka log promises beyond the port: topics as the settings say, generations, several nodes on one partition,
// and what an append hears while Kafka is away. On a real broker, which the tests kill and stop.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <librdkafka/rdkafka.h>

#include "event_log_subjects.hpp"
#include "support/kafka_broker.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

using list = std::vector<std::string>;
using steady = std::chrono::steady_clock;

std::int64_t ms_since(steady::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - start).count();
}

/// The error of an open that must not work.
error refused(const kafka_log_settings& settings) {
  const auto opened = kafka_event_log::open(settings);
  REQUIRE_FALSE(opened.ok());
  return opened.err();
}

void delete_topics(const kafka_log_settings& settings) {
  auto* conf = rd_kafka_conf_new();
  char why[256];
  REQUIRE(rd_kafka_conf_set(conf, "bootstrap.servers", settings.brokers.c_str(), why, sizeof why) == RD_KAFKA_CONF_OK);
  auto* handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  REQUIRE(handle != nullptr);
  std::vector<rd_kafka_DeleteTopic_t*> doomed;
  for (const char* topic : {"raw", "enriched", "scored", "failed", "alerts"})
    doomed.push_back(rd_kafka_DeleteTopic_new((settings.topic_prefix + "." + topic).c_str()));
  auto* queue = rd_kafka_queue_new(handle);
  rd_kafka_DeleteTopics(handle, doomed.data(), doomed.size(), nullptr, queue);
  rd_kafka_DeleteTopic_destroy_array(doomed.data(), doomed.size());
  auto* event = rd_kafka_queue_poll(queue, 30'000);
  REQUIRE(event != nullptr);
  CHECK(rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy(handle);
}

std::string next_value(event_log& log, slot_id slot, log_offset& from) {
  result<std::vector<log_record>> got = std::vector<log_record>{};
  REQUIRE(eventually([&] {
    got = log.read(log_topic::raw, slot, from, 1, 1 << 20);
    return got.ok() && !got->empty();
  }));
  REQUIRE(got->front().offset == from);
  from = log_offset{from.value + 1};
  return got->front().entry.value;
}

} // namespace

TEST_CASE("topics that are not as the settings say are refused, and the error names the setting", "[log][kafka]") {
  kafka_subject subject;
  subject.close();
  auto other = subject.settings;
  other.slots = 8;
  CHECK(refused(other).code == ec::invalid);
  CHECK(refused(other).pointer == "kafka.slots");
  CHECK(refused(other).detail.find("has 4 partitions, kafka.slots is 8") != std::string::npos);
  other = subject.settings;
  other.replication_factor = other.min_insync_replicas = 2;
  CHECK(refused(other).pointer == "kafka.replication_factor");
  // A broker alone cannot keep two copies: said when the topics are made, too.
  other.topic_prefix += "-new";
  CHECK(refused(other).code == ec::invalid);
  CHECK(refused(other).detail.find("on a single broker set it") != std::string::npos);
  CHECK(refused({}).pointer == "kafka.brokers");
}

TEST_CASE("no broker is an error that says so within the limit", "[log][kafka]") {
  kafka_log_settings nowhere;
  nowhere.brokers = "127.0.0.1:1";
  const auto started = steady::now();
  const auto why = refused(nowhere);
  CHECK(why.code == ec::unavailable);
  CHECK(why.detail.find("127.0.0.1:1") != std::string::npos);
  CHECK(ms_since(started) < 20'000);
}

TEST_CASE("a log that was made anew is another generation, and empty", "[log][kafka][f:2.5]") {
  kafka_subject subject;
  const auto before = subject.log().generation();
  CHECK(before.value < std::int64_t{1} << 53);
  REQUIRE(append(subject.log(), {entry("old")}).ok());
  subject.close();
  delete_topics(subject.settings);
  subject.reopen();
  CHECK(subject.log().generation() != before);
  CHECK(subject.log().end(log_topic::raw, {}) == log_offset{0});
  CHECK(values(subject.log()).empty());
}

TEST_CASE("two nodes append to one slot: each call keeps its order, and each node reads the same log", "[log][kafka]") {
  kafka_subject subject;
  auto second = kafka_event_log::open(subject.settings);
  REQUIRE(second.ok());
  constexpr int appends = 100;
  std::atomic<int> answered = 0;
  std::atomic<int> good = 0;
  for (int i = 0; i < appends; ++i)
    for (event_log* log : {&subject.log(), static_cast<event_log*>(second->get())}) {
      const auto name = std::string(log == &subject.log() ? "a" : "b") + std::to_string(1000 + i);
      log->append(log_topic::raw, {}, {entry(name + "/1"), entry(name + "/2")}, [&](const result<log_offset>& r) {
        good += r.ok() ? 1 : 0;
        ++answered;
      });
    }
  REQUIRE(eventually([&] { return answered == 2 * appends; }));
  CHECK(good == 2 * appends);
  list read_by_one;
  log_offset from;
  for (int i = 0; i < 4 * appends; ++i)
    read_by_one.push_back(next_value(subject.log(), {}, from));
  for (const char* who : {"a", "b"}) {
    list of_one;
    std::copy_if(read_by_one.begin(), read_by_one.end(), std::back_inserter(of_one),
                 [&](const std::string& v) { return v.starts_with(who); });
    CHECK(of_one.size() == 2 * appends);
    CHECK(std::is_sorted(of_one.begin(), of_one.end()));
  }
  CHECK(values(**second) == read_by_one);
}

TEST_CASE("whoever reads a slot is woken by another node's records", "[log][kafka]") {
  kafka_subject subject;
  auto second = kafka_event_log::open(subject.settings);
  REQUIRE(second.ok());
  std::atomic<int> wakes = 0;
  subject.log().on_appended(slot_id{2}, [&] { ++wakes; });
  CHECK(values(subject.log(), {}, slot_id{2}).empty());
  REQUIRE(append(**second, {entry("x")}, slot_id{2}).ok());
  // Looked at only when woken; a wake may stand for nothing.
  list seen;
  REQUIRE(eventually([&] {
    if (wakes.exchange(0) > 0)
      seen = values(subject.log(), {}, slot_id{2});
    return !seen.empty();
  }));
  CHECK(seen == list{"x"});
  CHECK(subject.log().end(log_topic::raw, slot_id{2}) == log_offset{1});
  // Given up and taken again, from the beginning.
  subject.log().on_appended(slot_id{2}, nullptr);
  CHECK(values(subject.log(), {}, slot_id{2}) == list{"x"});
}

TEST_CASE("reads from further back do not move the one that goes forwards", "[log][kafka]") {
  kafka_subject subject;
  auto& log = subject.log();
  std::vector<log_entry> entries;
  for (int i = 0; i < 500; ++i)
    entries.push_back(entry(std::to_string(i)));
  REQUIRE(append(log, entries).ok());
  log_offset forwards;
  for (; forwards.value < 400;)
    next_value(log, {}, forwards);
  for (int round = 0; round < 20; ++round) {
    log_offset back{round * 3};
    for (int i = 0; i < 5; ++i)
      CHECK(next_value(log, {}, back) == std::to_string(round * 3 + i));
    CHECK(next_value(log, {}, forwards) == std::to_string(400 + round));
  }
  // The first read, and one for each time it went back.
  CHECK(subject.kafka().stats().seeks <= 21);
}

TEST_CASE("a record that is too large is refused before any of its call goes out", "[log][kafka]") {
  kafka_subject subject;
  CHECK(append(subject.log(), {entry("small"), entry(std::string(1 << 20, 'x'))}).err().code == ec::too_large);
  CHECK(values(subject.log()).empty());
  CHECK(append(subject.log(), {entry(std::string(900'000, 'x'))}).ok());
}

TEST_CASE("with Kafka away an append hears so within a second, and is taken within five of its return",
          "[log][kafka][f:2.11]") {
  kafka_broker broker;
  kafka_subject subject;
  subject.settings.ack_ms_max = kafka_log_settings{}.ack_ms_max;
  subject.reopen();
  REQUIRE(append(subject.log(), {entry("before")}).ok());
  list acknowledged{"before"};
  std::int64_t slowest = 0;
  const auto try_once = [&](const std::string& value) {
    const auto started = steady::now();
    const auto answer = append(subject.log(), {entry(value)});
    slowest = std::max(slowest, ms_since(started));
    if (answer)
      acknowledged.push_back(value);
    else
      CHECK((answer.err().code == ec::unavailable || answer.err().code == ec::timeout));
    return answer.ok();
  };
  for (bool killed : {false, true}) {
    killed ? broker.kill() : broker.stop();
    const auto gone = steady::now();
    for (int i = 0; ms_since(gone) < 12'000; ++i) {
      CHECK_FALSE(try_once(std::string(killed ? "k" : "s") + std::to_string(i)));
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    CHECK(eventually([&] { return !subject.log().healthy().ok(); }));
    killed ? broker.start() : broker.resume();
    const auto back = steady::now();
    int tries = 0;
    REQUIRE(eventually([&] { return try_once(std::string(killed ? "K" : "S") + std::to_string(tries++)); }));
    WARN((killed ? "killed" : "stopped") << ": taken again after " << ms_since(back) << " ms; the slowest answer took "
                                         << slowest << " ms");
    CHECK(ms_since(back) < 5000);
    CHECK(eventually([&] { return subject.log().healthy().ok(); }));
  }
  CHECK(slowest < 1000);
  // What was acknowledged is there once; what was not may be there.
  const auto there = values(subject.log());
  for (const auto& value : acknowledged)
    CHECK(std::count(there.begin(), there.end(), value) == 1);
}

TEST_CASE("TLS, a client's certificate, PLAIN and SCRAM let in who may come in, and say why not",
          "[log][kafka][f:2.5]") {
  kafka_broker broker;
  const auto status = broker.status();
  if (!status.contains("tls_dir"))
    SKIP("this Kafka was started without --tls");
  const std::string dir = status.at("tls_dir");
  kafka_subject subject;
  subject.close();
  auto tls = subject.settings;
  tls.brokers = status.at("ssl");
  tls.security_protocol = "ssl";
  tls.ca = dir + "/ca.pem";
  tls.cert = dir + "/client.pem";
  tls.key = dir + "/client.key";
  auto sasl = subject.settings;
  sasl.brokers = status.at("sasl");
  sasl.security_protocol = "sasl_ssl";
  sasl.ca = tls.ca;
  sasl.sasl_user = "pulse";
  sasl.sasl_password = "pulse-secret";
  std::int64_t n = 0;
  const auto works = [&](const kafka_log_settings& settings) {
    auto opened = kafka_event_log::open(settings);
    INFO((opened.ok() ? "" : opened.err().detail));
    REQUIRE(opened.ok());
    CHECK(*append(**opened, {entry("x")}) == log_offset{n++});
    CHECK(values(**opened).size() == static_cast<std::size_t>(n));
  };
  const auto refuses = [&](kafka_log_settings settings, const std::string& words) {
    const auto started = steady::now();
    const auto why = refused(settings);
    INFO(why.detail);
    CHECK(why.code != ec::internal);
    CHECK(why.detail.find(words) != std::string::npos);
    CHECK(ms_since(started) < 15'000);
  };
  works(tls);
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256"}) {
    sasl.sasl_mechanism = mechanism;
    works(sasl);
    auto wrong = sasl;
    wrong.sasl_password = "guessed";
    refuses(wrong, "uthentication failed");
    wrong.sasl_password.clear();
    CHECK(refused(wrong).pointer == "kafka.sasl_user");
  }
  auto stranger = tls;
  stranger.cert = dir + "/other-client.pem";
  stranger.key = dir + "/other-client.key";
  refuses(stranger, "Kafka (");
  auto nobody = tls;
  nobody.cert.clear();
  nobody.key.clear();
  refuses(nobody, "ertificate");
  auto wrong_ca = tls;
  wrong_ca.ca = dir + "/other-ca.pem";
  refuses(wrong_ca, "certificate verify failed");
  auto no_file = tls;
  no_file.ca = dir + "/none.pem";
  CHECK(refused(no_file).code == ec::invalid);
  auto plain = tls;
  plain.security_protocol = "plaintext";
  refuses(plain, "Kafka (");
}
