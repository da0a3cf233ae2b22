// The gateway's event loop with two threads, answers that come from other threads, and a drain under load: for
// ThreadSanitizer (scripts/test tsan).
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <thread>

#include "base/worker_pool.hpp"
#include "http/server/server.hpp"
#include "tests/support/fake_key_directory.hpp"
#include "tests/support/raw_client.hpp"

using namespace pulse;
using namespace pulse::http;

namespace {

const std::string key = "pe_live_abcdefghijkl0123456789ABCDEFGHIJ0123456789AB";

struct gateway {
  gateway() {
    directory.add(key, tenant_id{7}, {scope::ingest});
    route echo;
    echo.method = "POST";
    echo.pattern = "/v1/events";
    echo.needed = scope::ingest;
    echo.handle = [this](request r, responder answer) {
      const bool taken =
          workers.post([answer, body = std::move(r.body)](std::size_t) { answer(response::text(200, body)); });
      if (!taken)
        answer(response::problem(error{ec::unavailable, "no room", ""}));
    };
    server_config config;
    config.port = 0;
    config.io_threads = 2;
    const auto gate = std::make_shared<key_gate>(directory, system_clock(), key_gate::config{});
    under_test = std::make_unique<server>(config, std::vector{echo}, gate, system_random(),
                                          [this](const request_info&) { ++answered; });
    port = under_test->start().value();
  }

  test::fake_key_directory directory;
  worker_pool workers{2, 1000};
  std::atomic<int> answered{0};
  std::unique_ptr<server> under_test;
  std::uint16_t port = 0;
};

/// The number of requests that were answered with their own body until the server closed.
int send_until_closed(std::uint16_t port, int client, int requests_max) {
  test::raw_client c(port);
  for (int i = 0; i < requests_max; ++i) {
    const auto body = fmt::format("{}-{}", client, i);
    if (!c.send(fmt::format(
            "POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{}", key,
            body.size(), body)))
      return i;
    const auto answer = c.receive();
    if (!answer)
      return i;
    if (answer->status == 200 && answer->body != body)
      return -1;
  }
  return requests_max;
}

} // namespace

TEST_CASE("each of many clients at once gets its own answers", "[threads][http]") {
  gateway g;
  std::vector<std::thread> clients;
  std::atomic<int> right{0};
  for (int c = 0; c < 8; ++c)
    clients.emplace_back([&, c] { right += send_until_closed(g.port, c, 40) == 40 ? 1 : 0; });
  for (auto& c : clients)
    c.join();
  CHECK(right == 8);
  CHECK(g.under_test->drain(5000));
}

TEST_CASE("a drain under load mixes no answers up and ends", "[threads][http]") {
  gateway g;
  std::vector<std::thread> clients;
  std::atomic<int> mixed{0};
  for (int c = 0; c < 6; ++c)
    clients.emplace_back([&, c] { mixed += send_until_closed(g.port, c, 100'000) < 0 ? 1 : 0; });
  while (g.answered < 200)
    std::this_thread::yield();
  CHECK(g.under_test->drain(10'000));
  for (auto& c : clients)
    c.join();
  CHECK(mixed == 0);
}
