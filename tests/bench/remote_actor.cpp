// How many events a second go from an actor on one node to an actor on another, in batches of 256 under credit, each
// batch answered: over mutual TLS on loopback, as nodes speak. Both ends are in this process, so they share its cores.
// Prints `name value unit`, then a JSON line.
//   bench_remote_actor DIR_WITH_CERTIFICATES [SECONDS 5] [ROUNDS 5]
#include <algorithm>
#include <caf/all.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <chrono>
#include <deque>
#include <fmt/format.h>
#include <string>
#include <sys/resource.h>
#include <vector>

#include "base/ids.hpp"

namespace bench {

struct event_batch {
  pulse::tenant_id tenant;
  std::vector<std::string> events;
};

template <class Inspector>
bool inspect(Inspector& f, event_batch& x) {
  return f.object(x).fields(f.field("tenant", x.tenant), f.field("events", x.events));
}

} // namespace bench

CAF_BEGIN_TYPE_ID_BLOCK(bench, caf::first_custom_type_id + 300)
CAF_ADD_TYPE_ID(bench, (bench::event_batch))
CAF_END_TYPE_ID_BLOCK(bench)

namespace {

using steady = std::chrono::steady_clock;
using sink_actor = caf::typed_actor<caf::result<std::int64_t>(bench::event_batch)>;

constexpr int events_a_batch = 256;
constexpr std::size_t bytes_an_event = 450;
/// Batches on their way.
constexpr int credit = 16;

sink_actor::behavior_type sink(sink_actor::pointer) {
  return {
      [](const bench::event_batch& b) { return static_cast<std::int64_t>(b.events.size()); },
  };
}

struct secured : caf::actor_system_config {
  explicit secured(const std::string& dir) {
    load<caf::io::middleman>();
    load<caf::openssl::manager>();
    set("caf.scheduler.max-threads", 1);
    set("caf.middleman.app-identifiers", std::vector<std::string>{"pulse-bench"});
    openssl_cafile = dir + "/ca.pem";
    openssl_certificate = dir + "/bench.pem";
    openssl_key = dir + "/bench.key";
  }
};

/// Sends under credit until the time is over; the events that were answered.
std::int64_t pump(caf::scoped_actor& self, const sink_actor& to, const bench::event_batch& batch,
                  std::chrono::seconds time) {
  std::int64_t answered = 0;
  const auto take = [&answered](auto& handle) {
    handle.receive([&answered](std::int64_t n) { answered += n; },
                   [](const caf::error& e) { throw std::runtime_error(caf::to_string(e)); });
  };
  const auto end = steady::now() + time;
  using answer = decltype(self->request(to, std::chrono::seconds(10), batch));
  std::deque<answer> open;
  while (steady::now() < end) {
    while (open.size() < credit)
      open.push_back(self->request(to, std::chrono::seconds(10), batch));
    take(open.front());
    open.pop_front();
  }
  for (auto& left : open)
    take(left);
  return answered;
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_remote_actor DIR_WITH_CERTIFICATES [SECONDS 5] [ROUNDS 5]\n");
    return 2;
  }
  const std::string dir = argv[1];
  const std::chrono::seconds time(argc > 2 ? std::stoi(argv[2]) : 5);
  const int rounds = argc > 3 ? std::stoi(argv[3]) : 5;
  caf::core::init_global_meta_objects();
  caf::io::middleman::init_global_meta_objects();
  caf::openssl::manager::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::bench>();
  secured here_config(dir), there_config(dir);
  caf::actor_system there(there_config), here(here_config);
  const auto served = there.spawn(sink);
  const auto port = caf::openssl::publish(served, 0, "127.0.0.1");
  if (!port) {
    fmt::print(stderr, "the port cannot be opened: {}\n", caf::to_string(port.error()));
    return 1;
  }
  const auto to = caf::openssl::remote_actor<sink_actor>(here, "127.0.0.1", *port);
  if (!to) {
    fmt::print(stderr, "the other end cannot be reached: {}\n", caf::to_string(to.error()));
    return 1;
  }
  bench::event_batch batch{pulse::tenant_id{1}, {}};
  for (int i = 0; i < events_a_batch; ++i)
    batch.events.push_back(std::string(bytes_an_event, static_cast<char>('a' + i % 26)));
  std::vector<double> rates, cpu;
  {
    caf::scoped_actor self(here);
    pump(self, *to, batch, std::chrono::seconds(1));
    for (int r = 0; r < rounds; ++r) {
      const auto started = steady::now();
      const auto used = cpu_seconds();
      const auto n = static_cast<double>(pump(self, *to, batch, time));
      rates.push_back(n / std::chrono::duration<double>(steady::now() - started).count());
      cpu.push_back((cpu_seconds() - used) / n * 1e6);
    }
  }
  std::sort(rates.begin(), rates.end());
  std::sort(cpu.begin(), cpu.end());
  const auto mid = rates.size() / 2;
  fmt::print("remote_batches {:.0f} events/s ({:.0f} to {:.0f})\n", rates[mid], rates.front(), rates.back());
  fmt::print("remote_batches_cpu {:.2f} cpu_s/M ({:.2f} to {:.2f})\n", cpu[mid], cpu.front(), cpu.back());
  fmt::print("{{\"remote_batches\":{{\"value\":{},\"min\":{},\"max\":{},\"unit\":\"events/s\"}}}}\n", rates[mid],
             rates.front(), rates.back());
  caf::anon_send_exit(served, caf::exit_reason::user_shutdown);
  return 0;
}
