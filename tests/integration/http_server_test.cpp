// The gateway on real sockets: what is answered, what is refused and how, and that slow clients cost others nothing.
#include <catch2/catch_test_macros.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "http/handlers/health.hpp"
#include "http/server/server.hpp"
#include "tests/support/fake_key_directory.hpp"
#include "tests/support/gzip.hpp"
#include "tests/support/raw_client.hpp"

using namespace pulse;
using namespace pulse::http;
using namespace std::chrono_literals;
using pulse::test::gzip;
using pulse::test::raw_answer;
using pulse::test::raw_client;

namespace {

const std::string live_key = "pe_live_abcdefghijkl0123456789ABCDEFGHIJ0123456789AB";
const std::string web_key = "pe_live_webwebwebweb0123456789ABCDEFGHIJ0123456789AB";

struct gateway {
  test::fake_key_directory directory;
  std::mutex mutex;
  std::vector<responder> held;
  std::vector<request_info> seen;
  server_config config;
  std::unique_ptr<server> under_test;
  std::uint16_t port = 0;

  gateway() {
    config.port = 0;
    directory.add(live_key, tenant_id{7}, {scope::ingest, scope::read});
    directory.add(web_key, tenant_id{7}, {scope::publishable});
  }

  void start() {
    auto gate = std::make_shared<key_gate>(directory, system_clock(), key_gate::config{});
    under_test = std::make_unique<server>(config, routes(), gate, system_random(), [this](const request_info& info) {
      const std::lock_guard lock(mutex);
      seen.push_back(info);
    });
    port = under_test->start().value();
  }

  static route get(std::string pattern, std::function<void(request, responder)> handle, bool keyless) {
    route r;
    r.method = "GET";
    r.pattern = std::move(pattern);
    r.needed = scope::read;
    r.keyless = keyless;
    r.handle = std::move(handle);
    return r;
  }

  std::vector<route> routes() {
    auto out = health_routes([this]() -> result<void> {
      if (under_test->draining())
        return error{ec::unavailable, "draining", ""};
      return {};
    });
    route events;
    events.method = "POST";
    events.pattern = "/v1/events";
    events.needed = scope::ingest;
    events.zstd = true;
    events.content_types = {"application/json", "application/x-ndjson", "text/plain"};
    events.handle = [](const request& r, const responder& respond) {
      respond(response::text(200, r.body));
    };
    route track = events;
    track.pattern = "/v1/track";
    track.content_types.clear();
    track.publishable = track.cors = true;
    track.key_from_body = [](const request& r) {
      const auto doc = nlohmann::json::parse(r.body, nullptr, false);
      return doc.is_object() ? doc.value("writeKey", "") : std::string();
    };
    out.push_back(events);
    out.push_back(track);
    const auto tell = [](const request& r, const responder& respond) {
      respond(response::text(200, std::string(r.param("id")) + " " + r.remote_ip + " " + r.traceparent));
    };
    out.push_back(get("/v1/events/{id}/trail", tell, false));
    out.push_back(get("/v1/settings", tell, false));
    out.back().needed = scope::admin;
    const auto hold = [this](const request&, const responder& respond) {
      const std::lock_guard lock(mutex);
      held.push_back(respond);
    };
    out.push_back(get("/slow", hold, true));
    out.push_back(get(
        "/dropped", [](const request&, const responder&) {}, true));
    out.push_back(get(
        "/thrown", [](const request&, const responder&) { throw std::runtime_error("secret"); }, true));
    return out;
  }

  template <class Condition>
  void wait_until(Condition condition) {
    for (int i = 0; i < 2500; ++i) {
      {
        const std::lock_guard lock(mutex);
        if (condition())
          return;
      }
      std::this_thread::sleep_for(2ms);
    }
    FAIL("it did not happen within 5 s");
  }

  /// Waits until `n` requests lie with the slow handler.
  void wait_held(std::size_t n) {
    wait_until([&] { return held.size() >= n; });
  }

  /// Waits until `n` answers were reported, which happens after their last byte was sent.
  void wait_seen(std::size_t n) {
    wait_until([&] { return seen.size() >= n; });
  }

  raw_answer once(const std::string& bytes) {
    raw_client c(port);
    c.send(bytes);
    auto out = c.receive(bytes.starts_with("HEAD"));
    return out ? *out : raw_answer{};
  }
};

std::string with_key(const std::string& head, const std::string& body = {}) {
  return head + " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + live_key +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
}

std::string post(const std::string& path, const std::string& body, const std::string& fields = {}) {
  return with_key("POST " + path, body) + fields + "\r\n" + body;
}

void check_problem(const raw_answer& answer, int status, const std::string& code) {
  CHECK(answer.status == status);
  REQUIRE(answer.headers.contains("content-type"));
  CHECK(answer.headers.at("content-type") == "application/problem+json");
  const auto body = nlohmann::json::parse(answer.body);
  CHECK(body["status"] == status);
  CHECK(body["code"] == code);
  CHECK(body["request_id"] == answer.headers.at("x-request-id"));
  for (auto field : {"type", "title", "detail", "instance"})
    CHECK(body.contains(field));
  CHECK(answer.headers.contains("traceparent"));
}

} // namespace

TEST_CASE_METHOD(gateway, "a request reaches its handler and carries its ids back", "[http][f:10.1]") {
  start();
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto a =
      once(with_key("GET /v1/events/a%20b/trail?x=1") + "X-Request-Id: mine-1\r\ntraceparent: " + trace + "\r\n\r\n");
  wait_seen(1);
  CHECK(a.status == 200);
  CHECK(a.body == "a b 127.0.0.1 " + trace);
  CHECK(a.headers.at("x-request-id") == "mine-1");
  CHECK(a.headers.at("traceparent") == trace);
  CHECK(once(post("/v1/events", "{}", "Content-Type: application/json\r\n")).body == "{}");
  wait_seen(2);
  CHECK(once("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").status == 200);
  const auto head = once("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(head.status == 200);
  CHECK(head.headers.at("content-length") == "15");
  const std::lock_guard lock(mutex);
  CHECK(seen[0].route == "/v1/events/{id}/trail");
  CHECK(seen[0].tenant == tenant_id{7});
  CHECK(seen[1].bytes_in == 2);
}

TEST_CASE_METHOD(gateway, "every refusal is a problem with its own code", "[http][f:1.3]") {
  start();
  check_problem(once("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"), 404, "not_found");
  const auto wrong = once(with_key("DELETE /v1/events") + "\r\n");
  check_problem(wrong, 405, "method_not_allowed");
  CHECK(wrong.headers.at("allow") == "POST, OPTIONS");
  check_problem(once("GET /v1/events/%zz/trail HTTP/1.1\r\nHost: a\r\n\r\n"), 400, "malformed");
  check_problem(once(post("/v1/events", "x", "Content-Type: text/html\r\n")), 415, "unsupported");
  check_problem(once(post("/v1/events", "x", "Content-Encoding: br\r\n")), 415, "unsupported");
  check_problem(once(post("/v1/events", "x", "Content-Encoding: gzip\r\n")), 400, "malformed");
  check_problem(once(post("/v1/events", "x", "Expect: wonders\r\n")), 417, "expectation_failed");
  check_problem(once("GET /dropped HTTP/1.1\r\nHost: a\r\n\r\n"), 500, "internal");
  const auto thrown = once("GET /thrown HTTP/1.1\r\nHost: a\r\n\r\n");
  check_problem(thrown, 500, "internal");
  CHECK(thrown.body.find("secret") == std::string::npos);
  const auto big = "GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n";
  check_problem(once(big), 431, "header_too_large");
  check_problem(once("GET / HTTP/3.0\r\nHost: a\r\n\r\n"), 505, "version_not_supported");
}

TEST_CASE_METHOD(gateway, "a key opens what its scopes say", "[http][f:1.1]") {
  start();
  const auto none = once("GET /v1/events/a/trail HTTP/1.1\r\nHost: a\r\n\r\n");
  check_problem(none, 401, "unauthorized");
  CHECK(none.headers.contains("www-authenticate"));
  check_problem(once("GET /v1/events/a/trail HTTP/1.1\r\nHost: a\r\nX-API-Key: nonsense\r\n\r\n"), 401, "unauthorized");
  check_problem(once(with_key("GET /v1/settings") + "\r\n"), 403, "forbidden");
  const auto basic = "POST /v1/track HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + to_base64(web_key + ":") +
                     "\r\nContent-Length: 2\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{}";
  CHECK(once(basic).status == 200);
  const auto web = "POST /v1/events HTTP/1.1\r\nHost: a\r\nX-API-Key: " + web_key + "\r\nContent-Length: 2\r\n\r\n{}";
  check_problem(once(web), 403, "forbidden");
  const auto body = R"({"writeKey":")" + web_key + R"("})";
  const std::string head = "POST /v1/track HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  CHECK(once(head + std::to_string(body.size()) + "\r\n\r\n" + body).status == 200);
  check_problem(once(head + "2\r\n\r\n{}"), 401, "unauthorized");
  check_problem(once(head + "0\r\n\r\n"), 401, "unauthorized");
}

TEST_CASE_METHOD(gateway, "with the directory silent a checked key works and a new one is a 503", "[http][f:1.1]") {
  start();
  CHECK(once(post("/v1/events", "1")).status == 200);
  directory.silent = true;
  CHECK(once(post("/v1/events", "2")).status == 200);
  const auto other =
      once("POST /v1/track HTTP/1.1\r\nHost: a\r\nX-API-Key: " + web_key + "\r\nContent-Length: 0\r\n\r\n");
  check_problem(other, 503, "unavailable");
  CHECK(other.headers.contains("retry-after"));
}

TEST_CASE_METHOD(gateway, "requests that could be read in two ways end the connection", "[http][f:1.6]") {
  start();
  const std::string hidden = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 0\r\nContent-Length: 44\r\n",
        "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n", "Content-Length: 0\nX: y\r\n", "Content-Length: 0,0\r\n",
        "X: y\r\n Content-Length: 5\r\n", "Content-Length: +0\r\n", "Transfer-Encoding: \tchunked\x01\r\n"}) {
    INFO(fields);
    raw_client c(port);
    c.send("POST /healthz HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n0\r\n\r\n" + hidden);
    const auto answer = c.receive();
    REQUIRE(answer);
    check_problem(*answer, 400, "malformed");
    CHECK(answer->headers.at("connection") == "close");
    CHECK(c.closed());
  }
  for (const std::string chunks :
       {"5\nhello\n0\n\n", "zz\r\nhello\r\n0\r\n\r\n", "-1\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n", "0\r\nContent-Length: 3\r\n\r\n"}) {
    INFO(chunks);
    raw_client c(port);
    c.send("POST /v1/events HTTP/1.1\r\nHost: a\r\nX-API-Key: " + live_key + "\r\nTransfer-Encoding: chunked\r\n\r\n" +
           chunks + hidden);
    const auto answer = c.receive();
    REQUIRE(answer);
    CHECK(answer->status >= 400);
    REQUIRE(answer->headers.contains("connection"));
    CHECK(c.closed());
  }
  check_problem(once("GET /healthz HTTP/1.1\nHost: a\n\n"), 400, "malformed");
}

TEST_CASE_METHOD(gateway, "sizes have limits, announced, sent and unpacked", "[http][f:1.6]") {
  start();
  check_problem(once(post("/v1/events", std::string(5U << 20, 'x'))), 413, "too_large");
  std::string chunked =
      "POST /v1/events HTTP/1.1\r\nHost: a\r\nX-API-Key: " + live_key + "\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 80; ++i)
    chunked += "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  check_problem(once(chunked + "0\r\n\r\n"), 413, "too_large");
  for (auto inflated : {64U << 20, 3U << 20}) {
    const auto bomb = gzip(std::string(inflated, ' '));
    check_problem(once(post("/v1/events", bomb, "Content-Encoding: gzip\r\n")), 413, "too_large");
  }
  const std::string most(4U << 20, 'x');
  CHECK(once(post("/v1/events", most)).body.size() == most.size());
  CHECK(once(post("/v1/events", gzip("packed"), "Content-Encoding: gzip\r\n")).body == "packed");
}

TEST_CASE_METHOD(gateway, "chunks, 100-continue and pipelined requests are read in order", "[http]") {
  start();
  raw_client c(port);
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += post("/v1/events", std::to_string(i));
  all += "POST /v1/events HTTP/1.1\r\nHost: a\r\nX-API-Key: " + live_key +
         "\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n";
  // One byte at a time at first: nothing may hang on where a packet ends.
  for (std::size_t i = 0; i < 300; ++i)
    c.send(all.substr(i, 1));
  c.send(all.substr(300));
  for (int i = 0; i < 50; ++i)
    CHECK(c.receive().value().body == std::to_string(i));
  CHECK(c.receive().value().body == "abcde");
  c.send(with_key("POST /v1/events", "hello") + "Expect: 100-continue\r\n\r\n");
  CHECK(c.receive().value().status == 100);
  c.send("hello");
  CHECK(c.receive().value().body == "hello");
  c.send("GET /healthz HTTP/1.0\r\n\r\n");
  CHECK(c.receive().value().status == 200);
  CHECK(c.closed());
}

TEST_CASE_METHOD(gateway, "browsers of other sites may call Segment's routes only", "[http][f:2.1]") {
  start();
  const std::string ask =
      " HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: authorization\r\n\r\n";
  const auto yes = once("OPTIONS /v1/track" + ask);
  CHECK(yes.status == 204);
  CHECK(yes.headers.at("access-control-allow-origin") == "*");
  CHECK(yes.headers.at("access-control-allow-headers") == "authorization, content-type, x-retry-count");
  const auto no = once("OPTIONS /v1/events" + ask);
  CHECK(no.status == 204);
  CHECK_FALSE(no.headers.contains("access-control-allow-origin"));
  const auto refused = once("POST /v1/track HTTP/1.1\r\nHost: a\r\nX-API-Key: x\r\nContent-Length: 2\r\n\r\n{}");
  check_problem(refused, 401, "unauthorized");
  CHECK(refused.headers.at("access-control-allow-origin") == "*");
}

TEST_CASE_METHOD(gateway, "slow heads, bodies and handlers are ended with an answer", "[http][f:1.6]") {
  config.header_timeout_ms = config.body_timeout_ms = config.handler_timeout_ms = 300;
  start();
  raw_client head(port);
  head.send("GET / HTT");
  raw_client body(port);
  body.send(with_key("POST /v1/events", "12345") + "\r\n123");
  raw_client handler(port);
  handler.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  raw_client idle(port);
  raw_client dripping(port);
  dripping.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(dripping.receive().value().status == 200);
  for (int i = 0; i < 10; ++i) {
    dripping.send("G");
    std::this_thread::sleep_for(50ms);
  }
  check_problem(dripping.receive().value(), 408, "timeout");
  check_problem(head.receive().value(), 408, "timeout");
  check_problem(body.receive().value(), 408, "timeout");
  check_problem(handler.receive().value(), 503, "timeout");
  CHECK(idle.closed());
  wait_held(1);
  // Too late: it must neither crash nor reach the next request of the connection.
  held.at(0)(response::text(200, "late"));
  handler.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(handler.receive().value().body == R"({"status":"ok"})");
}

TEST_CASE_METHOD(gateway, "a thousand dripping and idle sockets do not slow the others", "[http][f:1.6]") {
  start();
  std::vector<raw_client> slow;
  // Only their server raises the limit of open files, so it stands before them.
  slow.reserve(1000);
  for (int i = 0; i < 1000; ++i)
    slow.emplace_back(port);
  raw_client quick(port);
  std::vector<double> ms;
  for (std::size_t i = 0; i < 400; ++i) {
    for (std::size_t k = 0; k < 5; ++k)
      slow[(i * 5 + k) % 700].send(k % 2 == 0 ? "G" : "X");
    const auto begin = std::chrono::steady_clock::now();
    quick.send(post("/v1/events", "{}"));
    REQUIRE(quick.receive().value().status == 200);
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(ms.begin(), ms.end());
  INFO("median " << ms[200] << " ms, p99 " << ms[396] << " ms");
  CHECK(under_test->load().connections == 1001);
  // Sanitizers and two shared cores: a server that is held up by one of them answers in seconds or not at all.
  CHECK(ms[200] < 20);
  CHECK(ms[396] < 200);
}

TEST_CASE_METHOD(gateway, "too many connections or bytes are a 503, and the room comes back", "[http][f:1.6]") {
  config.connections_max = 3;
  config.in_flight_bytes_max = 100'000;
  start();
  {
    raw_client one(port);
    raw_client two(port);
    two.send(post("/v1/events", "1"));
    CHECK(two.receive().value().status == 200);
    raw_client three(port);
    three.send(post("/v1/events", std::string(150'000, 'x')));
    const auto many = three.receive().value();
    check_problem(many, 503, "unavailable");
    CHECK(many.headers.at("retry-after") == "1");
    raw_client four(port);
    const auto refused = four.receive();
    REQUIRE(refused);
    check_problem(*refused, 503, "unavailable");
  }
  for (int i = 0; i < 500 && under_test->load().connections > 0; ++i)
    std::this_thread::sleep_for(5ms);
  CHECK(once(post("/v1/events", "1")).status == 200);
  for (int i = 0; i < 500 && under_test->load().connections > 0; ++i)
    std::this_thread::sleep_for(5ms);
  CHECK(under_test->load().in_flight_bytes == 0);
  CHECK(under_test->load().requests == 0);
}

TEST_CASE_METHOD(gateway, "a drain finishes what was begun and takes nothing new", "[http][f:11.1]") {
  start();
  raw_client idle(port);
  raw_client busy(port);
  busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_held(1);
  bool whole = false;
  std::thread stopper([&] { whole = under_test->drain(5000); });
  CHECK(idle.closed());
  CHECK(under_test->draining());
  CHECK_THROWS(raw_client(port));
  held.at(0)(response::text(200, "done"));
  const auto answer = busy.receive().value();
  CHECK(answer.body == "done");
  CHECK(answer.headers.at("connection") == "close");
  CHECK(busy.closed());
  stopper.join();
  CHECK(whole);
}

TEST_CASE_METHOD(gateway, "a server that ends under load leaves late answers without effect", "[http]") {
  start();
  raw_client busy(port);
  busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  wait_held(1);
  CHECK_FALSE(under_test->drain(50));
  under_test.reset();
  CHECK(busy.closed());
  held.at(0)(response::text(200, "late"));
  held.clear();
}

namespace {

/// A sweep asks it once: half of the server's time is spent in sweeps.
struct slow_clock final : pulse::clock {
  time_ms now() const override {
    return system_clock().now();
  }

  std::int64_t monotonic_ms() const override {
    std::this_thread::sleep_for(100ms);
    return system_clock().monotonic_ms();
  }
};

} // namespace

TEST_CASE_METHOD(gateway, "a server that ends in the middle of a sweep ends", "[http][f:11.1]") {
  static const slow_clock slow;
  for (int i = 0; i < 12; ++i) {
    auto gate = std::make_shared<key_gate>(directory, slow, key_gate::config{});
    auto ending = std::make_shared<std::promise<void>>();
    auto s = std::make_unique<server>(config, routes(), gate, system_random(), nullptr);
    REQUIRE(s->start().ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(110 + i * 17));
    auto ended = ending->get_future();
    // On a thread of its own, so that one that never ends is told instead of waited for.
    std::thread([ending, s = std::move(s)]() mutable {
      s.reset();
      ending->set_value();
    }).detach();
    REQUIRE(ended.wait_for(10s) == std::future_status::ready);
  }
}
