// The logs that the contract suite is run on, behind one handle: make, reopen; fill the disk where it is ours.
#pragma once

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include <unistd.h>

#include "kafka/kafka_event_log.hpp"
#include "rocks/rocks_event_log.hpp"
#include "tests/support/fake_event_log.hpp"

namespace pulse::testing {

/// A directory of its own below the system's place for temporary files, gone afterwards.
class scratch_directory {
public:
  scratch_directory() {
    auto pattern = (std::filesystem::temp_directory_path() / "pulse-log-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }

  ~scratch_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  const std::string& path() const {
    return path_;
  }

private:
  std::string path_;
};

class fake_subject {
public:
  event_log& log() {
    return *log_;
  }

  void reopen() {
    log_ = std::make_unique<fake_event_log>(4, disk_);
  }

  void fill_disk(bool full) {
    log_->fill_disk(full);
  }

private:
  std::shared_ptr<fake_log_disk> disk_ = std::make_shared<fake_log_disk>();
  std::unique_ptr<fake_event_log> log_ = std::make_unique<fake_event_log>(4, disk_);
};

class rocks_subject {
public:
  rocks_subject() {
    settings.path = directory_.path() + "/log";
    settings.slots = 4;
    hooks.free_bytes = [this](const std::string&) {
      return result<std::uint64_t>(free_bytes.load());
    };
    reopen();
  }

  event_log& log() {
    return *log_;
  }

  rocks_event_log& rocks() {
    return *log_;
  }

  void close() {
    log_.reset();
  }

  void reopen() {
    log_.reset();
    auto opened = rocks_event_log::open(settings, time_ms{1'790'000'000'000 + ++opens_}, hooks);
    INFO((opened ? "" : opened.err().detail));
    REQUIRE(opened.ok());
    log_ = std::move(*opened);
  }

  void fill_disk(bool full) {
    free_bytes = full ? 1 : 1ULL << 40;
  }

  rocks_log_settings settings;
  rocks_log_hooks hooks;
  std::atomic<std::uint64_t> free_bytes = 1ULL << 40;

private:
  scratch_directory directory_;
  std::unique_ptr<rocks_event_log> log_;
  int opens_ = 0;
};

/// Where the real broker of these tests is; scripts/test starts one. Skips where there is none.
inline std::string kafka_brokers(const char* variable = "PULSE_TEST_KAFKA") {
  const char* brokers = std::getenv(variable);
  if (brokers == nullptr || *brokers == 0)
    SKIP(variable << " names no Kafka: scripts/test starts one where Java and Maven can be had");
  return brokers;
}

/// Topics of its own on the one broker, so that each subject begins empty.
class kafka_subject {
public:
  kafka_subject() {
    static int made = 0;
    settings.brokers = kafka_brokers();
    settings.topic_prefix = "t" + std::to_string(::getpid()) + "-" + std::to_string(++made);
    settings.slots = 4;
    settings.replication_factor = settings.min_insync_replicas = 1;
    // What is proved here are answers, not times, on a machine that may be busy.
    settings.ack_ms_max = settings.message_timeout_ms;
    reopen();
  }

  event_log& log() {
    return *log_;
  }

  kafka_event_log& kafka() {
    return *log_;
  }

  void close() {
    log_.reset();
  }

  void reopen() {
    log_.reset();
    auto opened = kafka_event_log::open(settings);
    INFO((opened ? "" : opened.err().detail));
    REQUIRE(opened.ok());
    log_ = std::move(*opened);
  }

  kafka_log_settings settings;

private:
  std::unique_ptr<kafka_event_log> log_;
};

inline log_entry entry(std::string value, std::int32_t tenant = 7) {
  return {tenant_id{tenant},
          "7/u1",
          std::move(value),
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "",
          epoch{}};
}

/// Polls until it holds; false when a minute is over.
template <class Condition>
bool eventually(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline)
      return false;
    std::this_thread::yield();
  }
  return true;
}

/// Appends and waits for the answer.
inline result<log_offset> append(event_log& log, std::vector<log_entry> entries, slot_id slot = {},
                                 log_topic topic = log_topic::raw) {
  std::promise<result<log_offset>> answer;
  auto future = answer.get_future();
  log.append(topic, slot, std::move(entries), [&answer](result<log_offset> r) { answer.set_value(std::move(r)); });
  REQUIRE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  return future.get();
}

inline std::vector<std::string> values(event_log& log, log_offset from = {}, slot_id slot = {},
                                       log_topic topic = log_topic::raw) {
  std::vector<std::string> out;
  // A read gives up to what it is asked for; only the end is empty.
  for (;;) {
    auto records = log.read(topic, slot, from, 1 << 20, 1 << 30);
    INFO((records.ok() ? "" : records.err().detail));
    REQUIRE(records.ok());
    if (records->empty())
      return out;
    for (auto& r : *records) {
      REQUIRE(r.offset == from);
      from = log_offset{r.offset.value + 1};
      out.push_back(r.entry.value);
    }
  }
}

} // namespace pulse::testing
