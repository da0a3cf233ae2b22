// Acknowledgement times of the Kafka log at a steady rate, against a bare librdkafka producer with the same settings,
// in turns, on one broker. Prints `name value unit`, then a JSON line.
//   bench_kafka_ack BROKERS [RATE 500] [SECONDS 10] [ROUNDS 3] [SLOTS 8]
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <mutex>
#include <numeric>
#include <random>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include "kafka/kafka_client.hpp"
#include "kafka/kafka_event_log.hpp"
#include "kafka/kafka_record.hpp"

using namespace pulse;

namespace {

using steady = std::chrono::steady_clock;

struct times {
  std::mutex mutex;
  std::vector<double> ms;
  std::atomic<int> answered = 0;
  std::atomic<int> failed = 0;

  void add(steady::time_point since, bool ok) {
    const std::lock_guard lock(mutex);
    ms.push_back(std::chrono::duration<double, std::milli>(steady::now() - since).count());
    failed += ok ? 0 : 1;
    ++answered;
  }

  double quantile(double q) {
    std::sort(ms.begin(), ms.end());
    return ms.empty() ? 0 : ms[static_cast<std::size_t>(q * static_cast<double>(ms.size() - 1))];
  }
};

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

log_entry an_event(int i) {
  return {tenant_id{1},
          fmt::format("1/user-{}", i % 40),
          std::string(450, static_cast<char>('a' + i % 26)) + std::to_string(i),
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "",
          epoch{}};
}

/// One event at a time, at moments of a Poisson process, the same for both.
template <class Send>
void at_rate(int rate, int seconds, int slots, Send send) {
  std::mt19937 random(7);
  std::exponential_distribution<double> gap(rate);
  auto next = steady::now();
  const int n = rate * seconds;
  for (int i = 0; i < n; ++i) {
    next += std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(gap(random)));
    std::this_thread::sleep_until(next);
    send(i, slot_id{i % slots});
  }
}

void await(const times& t, int n) {
  while (t.answered < n)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

void run_log(event_log& log, int rate, int seconds, times& t) {
  at_rate(rate, seconds, log.slots(), [&](int i, slot_id slot) {
    const auto since = steady::now();
    log.append(log_topic::raw, slot, {an_event(i)}, [&t, since](const result<log_offset>& r) { t.add(since, r.ok()); });
  });
  await(t, rate * seconds);
}

struct sent {
  times* to;
  steady::time_point since;
};

/// What a program writes that uses librdkafka as it is: idempotent, acks=all, the same compression; `linger` as given.
void run_bare(const kafka_log_settings& s, const char* linger, int rate, int seconds, times& t) {
  auto made = kafka::client::make(
      s, {{"enable.idempotence", "true"}, {"acks", "all"}, {"compression.codec", s.compression}, {"linger.ms", linger}},
      [](rd_kafka_t*, const rd_kafka_message_t* m, void*) {
        const std::unique_ptr<sent> one(static_cast<sent*>(m->_private));
        one->to->add(one->since, m->err == RD_KAFKA_RESP_ERR_NO_ERROR);
      });
  if (!made)
    throw std::runtime_error(made.err().detail);
  auto* handle = (*made)->handle();
  std::atomic<bool> stop = false;
  std::thread poller([&] {
    while (!stop)
      rd_kafka_poll(handle, 100);
  });
  const auto send = [&](int i, slot_id slot, times& to) {
    const auto e = an_event(i);
    auto headers = kafka::headers_of(e);
    auto* one = new sent{&to, steady::now()};
    if (rd_kafka_producev(handle, RD_KAFKA_V_RKT((*made)->topic(log_topic::raw)), RD_KAFKA_V_PARTITION(slot.value),
                          RD_KAFKA_V_KEY(e.key.data(), e.key.size()),
                          RD_KAFKA_V_VALUE(const_cast<char*>(e.value.data()), e.value.size()),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers.get()),
                          RD_KAFKA_V_OPAQUE(one), RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR_NO_ERROR)
      (void)headers.release();
    else
      throw std::runtime_error("the bare producer is full");
  };
  times warm;
  for (int i = 0; i < s.slots; ++i)
    send(i, slot_id{i}, warm);
  await(warm, s.slots);
  at_rate(rate, seconds, s.slots, [&](int i, slot_id slot) { send(i, slot, t); });
  await(t, rate * seconds);
  stop = true;
  poller.join();
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_kafka_ack BROKERS [RATE] [SECONDS] [ROUNDS] [SLOTS]\n");
    return 2;
  }
  const auto number = [&](int i, int otherwise) {
    return argc > i ? std::atoi(argv[i]) : otherwise;
  };
  const int rate = number(2, 500);
  const int seconds = number(3, 10);
  const int rounds = number(4, 3);
  kafka_log_settings s;
  s.brokers = argv[1];
  s.topic_prefix = fmt::format("bench{}", ::getpid());
  s.slots = number(5, 8);
  s.replication_factor = s.min_insync_replicas = 1;
  s.ack_ms_max = s.message_timeout_ms;
  const std::array<const char*, 3> names = {"pulse_log", "bare_linger_5ms", "bare_linger_0ms"};
  std::array<times, 3> all;
  std::array<double, 3> cpu{};
  int failed = 0;
  for (int round = 0; round < rounds; ++round)
    for (std::size_t which = 0; which < names.size(); ++which) {
      auto log = kafka_event_log::open(s);
      if (!log) {
        fmt::print(stderr, "{}\n", log.err().detail);
        return 1;
      }
      times warm;
      run_log(**log, 200, 1, warm);
      if (which != 0)
        log->reset();
      times t;
      const auto before = cpu_seconds();
      if (which == 0)
        run_log(**log, rate, seconds, t);
      else
        run_bare(s, which == 1 ? "5" : "0", rate, seconds, t);
      cpu[which] += cpu_seconds() - before;
      failed += t.failed;
      fmt::print(stderr, "round {} {}: p50 {:.2f} ms, p99 {:.2f} ms\n", round + 1, names[which], t.quantile(0.5),
                 t.quantile(0.99));
      all[which].ms.insert(all[which].ms.end(), t.ms.begin(), t.ms.end());
    }
  std::string json;
  const auto tell = [&](const std::string& name, double value, const char* unit) {
    fmt::print("{} {:.3f} {}\n", name, value, unit);
    json += fmt::format("{}\"{}\":{:.3f}", json.empty() ? "" : ",", name, value);
  };
  for (std::size_t which = 0; which < names.size(); ++which) {
    tell(std::string("kafka_ack_p50_") + names[which], all[which].quantile(0.5), "ms");
    tell(std::string("kafka_ack_p99_") + names[which], all[which].quantile(0.99), "ms");
    tell(std::string("kafka_ack_cpu_") + names[which], cpu[which] * 1e6 / (rate * seconds * rounds),
         "cpu_s_per_million");
  }
  tell("kafka_ack_p50_ratio_linger_5ms", all[0].quantile(0.5) / all[1].quantile(0.5), "x");
  tell("kafka_ack_p50_ratio_linger_0ms", all[0].quantile(0.5) / all[2].quantile(0.5), "x");
  tell("kafka_ack_failed", failed, "events");
  fmt::print("{{{}}}\n", json);
  return failed == 0 ? 0 : 1;
}
