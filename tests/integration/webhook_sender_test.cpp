// The webhook sender against real receivers: signed bodies arrive, private addresses are out of reach however they
// are spelt, redirects and endless answers lead nowhere, and a dead receiver does not delay a live one.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <condition_variable>
#include <cstdlib>

#include "delivery/webhook_sender.hpp"
#include "models/alert/webhook.hpp"
#include "tests/support/test_receiver.hpp"

using namespace pulse;
using namespace std::chrono_literals;
using delivery::webhook_config;
using delivery::webhook_sender;
using test::test_receiver;

namespace {

/// Collects results; waits with a deadline.
class results {
public:
  notifier::done slot() {
    return [this](result<http_reply> r) {
      const std::lock_guard lock(mutex_);
      all_.push_back(std::move(r));
      arrived_.notify_all();
    };
  }

  std::vector<result<http_reply>> wait(std::size_t n, std::chrono::milliseconds limit = 10s) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, limit, [&] { return all_.size() >= n; });
    REQUIRE(all_.size() >= n);
    return all_;
  }

private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<result<http_reply>> all_;
};

http_post post_to(const std::string& url, const std::string& allow = "127.0.0.0/8") {
  http_post out;
  out.url = url;
  out.body = R"({"type":"endpoint.test"})";
  out.headers = {{"Content-Type", "application/json"}};
  out.lane = url;
  out.allow = parse_cidrs(allow).value();
  out.timeout_ms = 3000;
  out.connect_timeout_ms = 1000;
  return out;
}

result<http_reply> send_one(webhook_sender& sender, http_post post) {
  results r;
  sender.send(std::move(post), r.slot());
  return r.wait(1).at(0);
}

std::string answer(const std::string& status, const std::string& fields = {}, const std::string& body = {}) {
  return "HTTP/1.1 " + status + "\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

} // namespace

TEST_CASE("a signed message arrives as it was signed", "[delivery][f:8.1]") {
  std::mutex mutex;
  std::string seen;
  test_receiver receiver([&](const std::string& request) {
    const std::lock_guard lock(mutex);
    seen = request;
    return answer("200 OK", "", "thanks");
  });
  const auto secret = alert::webhook_secret::make(system_random());
  alert::outgoing_alert a;
  a.type = "endpoint.test";
  a.data = "{}";
  const auto now = system_clock().now();
  const auto message = alert::build_webhook(a, std::span(&secret, 1), now).value();
  auto post = post_to(receiver.url());
  post.headers = message.headers;
  post.body = message.body;
  webhook_sender sender;
  const auto reply = send_one(sender, post);
  REQUIRE(reply.ok());
  CHECK(reply->status == 200);
  CHECK(reply->body_head == "thanks");
  CHECK(reply->seconds > 0);
  const std::lock_guard lock(mutex);
  const auto header = [&](const std::string& name) {
    const auto at = seen.find("\r\n" + name + ": ") + name.size() + 4;
    return seen.substr(at, seen.find("\r\n", at) - at);
  };
  const auto body = seen.substr(seen.find("\r\n\r\n") + 4);
  CHECK(alert::verify(secret, header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"), body,
                      now.value / 1000));
}

TEST_CASE("private addresses are out of reach in every spelling", "[delivery][f:8.4]") {
  test_receiver receiver([](const std::string&) { return answer("200 OK"); });
  webhook_sender sender;
  const auto port = std::to_string(receiver.port);
  for (const std::string host : {"127.0.0.1",
                                 "127.1",
                                 "0x7f.0.0.1",
                                 "0x7f000001",
                                 "2130706433",
                                 "017700000001",
                                 "0177.0.0.1",
                                 "0.0.0.0",
                                 "0",
                                 "localhost",
                                 "LOCALHOST",
                                 "[::1]",
                                 "[::ffff:127.0.0.1]",
                                 "[::ffff:7f00:1]",
                                 "[0:0:0:0:0:ffff:7f00:0001]",
                                 "[::]",
                                 "10.0.0.1",
                                 "169.254.169.254",
                                 "192.168.0.1",
                                 "[fd00::1]",
                                 "[fe80::1]",
                                 "[64:ff9b::7f00:1]",
                                 "[2002:7f00:1::]",
                                 "224.0.0.1",
                                 "127.0.0.1%2f",
                                 "user@127.0.0.1"}) {
    INFO(host);
    const auto reply = send_one(sender, post_to("http://" + host + ":" + port + "/", ""));
    REQUIRE_FALSE(reply.ok());
    const auto code = reply.err().code;
    CHECK((code == ec::forbidden || code == ec::invalid || code == ec::unavailable));
    if (host.find('%') == std::string::npos)
      CHECK(code == ec::forbidden);
  }
  CHECK(receiver.connections == 0);
  CHECK(send_one(sender, post_to(receiver.url("127.0.0.1"), "127.0.0.1/32")).ok());
  CHECK(send_one(sender, post_to(receiver.url("[::ffff:127.0.0.1]"), "127.0.0.1/32")).ok());
  CHECK_FALSE(send_one(sender, post_to(receiver.url(), "10.0.0.0/8 127.0.0.2")).ok());
  CHECK(receiver.connections == 2);
}

TEST_CASE("other schemes and broken URLs are invalid", "[delivery]") {
  webhook_sender sender;
  for (const std::string url : {"file:///etc/hostname", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "dict://127.0.0.1/",
                                "", "http://", "http://a b/", "://x"}) {
    INFO(url);
    const auto reply = send_one(sender, post_to(url));
    REQUIRE_FALSE(reply.ok());
    CHECK(reply.err().code == ec::invalid);
  }
}

TEST_CASE("a proxy of the environment is not used", "[delivery]") {
  test_receiver proxy([](const std::string&) { return answer("200 OK"); });
  test_receiver receiver([](const std::string&) { return answer("204 No Content"); });
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  ::setenv("ALL_PROXY", proxy.url().c_str(), 1);
  webhook_sender sender;
  const auto reply = send_one(sender, post_to(receiver.url()));
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  REQUIRE(reply.ok());
  CHECK(reply->status == 204);
  CHECK(proxy.connections == 0);
}

TEST_CASE("redirects are answers, not orders, and Retry-After is read", "[delivery][f:8.2][f:8.4]") {
  test_receiver target([](const std::string&) { return answer("200 OK"); });
  test_receiver receiver([&](const std::string& request) {
    if (request.find("/moved") != std::string::npos)
      return answer("307 Temporary Redirect", "Location: " + target.url() + "\r\n");
    return answer("503 Service Unavailable", "Retry-After: 120\r\n");
  });
  webhook_sender sender;
  const auto moved = send_one(sender, post_to(receiver.url("127.0.0.1", "/moved")));
  REQUIRE(moved.ok());
  CHECK(moved->status == 307);
  CHECK(target.connections == 0);
  const auto later = send_one(sender, post_to(receiver.url()));
  REQUIRE(later.ok());
  CHECK(later->status == 503);
  CHECK(later->retry_after_s == 120);
}

TEST_CASE("an endless answer is cut and counts, a silent one times out, none is unavailable", "[delivery]") {
  test_receiver endless([](const std::string&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + std::string(300'000, 'x');
  });
  test_receiver silent([](const std::string&) { return std::string(); });
  test_receiver rude([](const std::string&) { return std::string("nonsense\r\n\r\n"); });
  webhook_sender sender;
  const auto cut = send_one(sender, post_to(endless.url()));
  REQUIRE(cut.ok());
  CHECK(cut->status == 200);
  CHECK(cut->body_head.size() == 4096);
  auto post = post_to(silent.url());
  post.timeout_ms = 200;
  CHECK(send_one(sender, post).err().code == ec::timeout);
  CHECK(send_one(sender, post_to(rude.url())).err().code == ec::unavailable);
  std::uint16_t gone = 0;
  {
    const test_receiver closed([](const std::string&) { return std::string(); });
    gone = closed.port;
  }
  CHECK(send_one(sender, post_to("http://127.0.0.1:" + std::to_string(gone))).err().code == ec::unavailable);
}

TEST_CASE("a dead receiver does not delay a live one", "[delivery][f:8.8]") {
  test_receiver dead([](const std::string&) { return std::string(); });
  test_receiver live([](const std::string&) { return answer("200 OK"); });
  webhook_config config;
  config.concurrency_max = 8;
  config.lane_concurrency_max = 4;
  results of_dead;
  results of_live;
  webhook_sender sender(config);
  for (int i = 0; i < 100; ++i) {
    auto post = post_to(dead.url());
    post.timeout_ms = 60'000;
    sender.send(post, of_dead.slot());
  }
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < 200; ++i)
    sender.send(post_to(live.url()), of_live.slot());
  for (const auto& r : of_live.wait(200))
    CHECK(r.ok());
  CHECK(std::chrono::steady_clock::now() - begin < 5s);
  CHECK(dead.open_most <= 4);
  CHECK(live.open_most <= 8);
  CHECK(sender.load().active == 4);
  CHECK(sender.load().queued == 96);
}

TEST_CASE("a silent lane is tried one at a time, and ending answers everybody", "[delivery]") {
  test_receiver dead([](const std::string&) { return std::string(); });
  results all;
  {
    webhook_config config;
    config.lane_queued_max = 20;
    webhook_sender sender(config);
    auto post = post_to(dead.url());
    post.timeout_ms = 150;
    for (int i = 0; i < 8; ++i)
      sender.send(post, all.slot());
    all.wait(8);
    post.timeout_ms = 60'000;
    for (int i = 0; i < 30; ++i)
      sender.send(post, all.slot());
    // One in work, twenty in the queue; the rest is refused at once.
    const auto seen = all.wait(8 + 9);
    CHECK(seen.back().err().code == ec::unavailable);
    CHECK(sender.load().active <= 1);
  }
  const auto seen = all.wait(38);
  CHECK(seen.size() == 38);
  CHECK(seen.back().err().code == ec::unavailable);
}
