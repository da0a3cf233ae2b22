// The pure parts of the gateway: routes, targets, codings, ids, forwarded addresses, problems.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <zstd.h>

#include "http/middleware/body_codec.hpp"
#include "http/middleware/pooled_random.hpp"
#include "http/middleware/rate.hpp"
#include "http/middleware/request_context.hpp"
#include "http/middleware/router.hpp"
#include "http/middleware/url.hpp"
#include "tests/support/gzip.hpp"

using namespace pulse;
using namespace pulse::http;
using pulse::test::gzip;

namespace {

std::string zstd(const std::string& plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
  return out;
}

route at(std::string method, std::string pattern) {
  route r;
  r.method = std::move(method);
  r.pattern = std::move(pattern);
  return r;
}

} // namespace

TEST_CASE("a route is found by method and path, a parameter is one segment", "[http]") {
  const router table({at("GET", "/v1/events"), at("POST", "/v1/events"), at("GET", "/v1/events/{id}"),
                      at("GET", "/v1/events/{id}/trail"), at("POST", "/v1/alerts/replay"),
                      at("GET", "/v1/alerts/{id}")});
  CHECK(table.find("GET", "/v1/events").found->pattern == "/v1/events");
  CHECK(table.find("HEAD", "/v1/events").found->method == "GET");
  const auto trail = table.find("GET", "/v1/events/a%2Fb/trail");
  CHECK(trail.found->pattern == "/v1/events/{id}/trail");
  CHECK(trail.params == name_values{{"id", "a/b"}});
  CHECK(table.find("DELETE", "/v1/events").found == nullptr);
  CHECK(table.find("DELETE", "/v1/events").allow == "GET, HEAD, POST, OPTIONS");
  for (auto path : {"/", "/v1", "/v1/events/", "/v1/events//trail", "/v1/Events", "//v1/events", "/v1/events/a/b", "*"})
    CHECK(table.find("GET", path).allow.empty());
}

TEST_CASE("a target is decoded once, and odd ones are refused", "[http]") {
  const auto t = parse_target("/a%20b/%2525?x=1+2&x=%26&flag&=v").value();
  CHECK(t.path == "/a b/%25");
  CHECK(t.query == name_values{{"x", "1 2"}, {"x", "&"}, {"flag", ""}, {"", "v"}});
  CHECK(parse_target("http://host:1/p?q=1").value().path == "/p");
  CHECK(parse_target("http://host").value().path == "/");
  for (auto bad : {"", "a", "/%", "/%2", "/%zz", "/%00", "/?a=%0", "?a"})
    CHECK_FALSE(parse_target(bad).ok());
}

TEST_CASE("packed bodies are unpacked within the caps", "[http][f:1.6]") {
  std::string plain;
  for (int i = 0; i < 40'000; ++i)
    plain += std::to_string(i * 7919) + ",";
  const inflate_limits limits;
  CHECK(decode_body(gzip(plain), body_coding::gzip, limits).value() == plain);
  CHECK(decode_body(zstd(plain), body_coding::zstd, limits).value() == plain);
  CHECK(decode_body(gzip("a") + gzip("b"), body_coding::gzip, limits).value() == "ab");
  CHECK(decode_body(zstd("a") + zstd("b"), body_coding::zstd, limits).value() == "ab");
  CHECK(decode_body(gzip(""), body_coding::gzip, limits).value().empty());
  const std::string bomb(64U << 20, ' ');
  CHECK(decode_body(gzip(bomb), body_coding::gzip, limits).err().code == ec::too_large);
  CHECK(decode_body(zstd(bomb), body_coding::zstd, limits).err().code == ec::too_large);
  inflate_limits full = limits;
  full.reserve = [](std::size_t) {
    return false;
  };
  CHECK(decode_body(gzip("a"), body_coding::gzip, full).err().code == ec::unavailable);
}

TEST_CASE("packed bodies that are cut, spoilt or followed by something are malformed", "[http][f:1.6]") {
  const auto packed_gzip = gzip("some body that is packed");
  const auto packed_zstd = zstd("some body that is packed");
  for (std::size_t n = 0; n < packed_gzip.size(); ++n)
    CHECK_FALSE(decode_body(packed_gzip.substr(0, n), body_coding::gzip, {}).ok());
  for (std::size_t n = 0; n < packed_zstd.size(); ++n)
    CHECK_FALSE(decode_body(packed_zstd.substr(0, n), body_coding::zstd, {}).ok());
  CHECK_FALSE(decode_body(packed_gzip + "x", body_coding::gzip, {}).ok());
  CHECK_FALSE(decode_body("plain text", body_coding::gzip, {}).ok());
  CHECK_FALSE(decode_body("plain text", body_coding::zstd, {}).ok());
  CHECK(parse_coding("GZIP", false).value() == body_coding::gzip);
  for (auto other : {"br", "deflate", "gzip, gzip", "zstd"})
    CHECK_FALSE(parse_coding(other, false).ok());
}

TEST_CASE("sane request ids and traces are kept, others replaced", "[http][f:10.1]") {
  auto& random = system_random();
  CHECK(take_request_id("abc-1.2:3_4", random) == "abc-1.2:3_4");
  for (const auto& bad : {std::string(), std::string("a b"), std::string("a\"b"), std::string(129, 'a')})
    CHECK(take_request_id(bad, random).size() == 36);
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  CHECK(take_traceparent(good, random).traceparent == good);
  CHECK(take_traceparent(good, random).trace.hex() == "0af7651916cd43dd8448eb211c80319c");
  CHECK(take_traceparent("cc" + good.substr(2) + "-more", random).traceparent == good);
  for (const auto& bad :
       {std::string("x"), good + "-more", "ff" + good.substr(2), "00-" + std::string(32, '0') + good.substr(35),
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01" + std::string()}) {
    const auto made = take_traceparent(bad, random);
    CHECK(made.traceparent.size() == 55);
    CHECK(made.traceparent.substr(3, 32) == made.trace.hex());
    CHECK(made.trace.hex() != "0af7651916cd43dd8448eb211c80319c");
  }
}

TEST_CASE("a forwarded address is believed from trusted proxies only, from the right", "[http]") {
  const auto trusted = parse_cidrs("10.0.0.0/8").value();
  const auto proxy = ip_address::parse("10.0.0.1").value();
  const auto stranger = ip_address::parse("198.51.100.7").value();
  header_list h;
  h.add("X-Forwarded-For", "6.6.6.6, 203.0.113.9");
  h.add("x-forwarded-for", "10.0.0.2");
  CHECK(client_address(stranger, h, trusted) == "198.51.100.7");
  CHECK(client_address(proxy, h, trusted) == "203.0.113.9");
  CHECK(client_address(proxy, {}, trusted) == "10.0.0.1");
  header_list odd;
  odd.add("X-Forwarded-For", "203.0.113.9, nonsense");
  CHECK(client_address(proxy, odd, trusted) == "10.0.0.1");
}

TEST_CASE("every answer has its id and trace, an error is a problem, a limit has its headers", "[http][f:1.3]") {
  auto answer = response::problem(error{ec::rate_limited, "slow \xff down", "/batch/0"});
  answer.retry_after_s = 7;
  answer.rate = rate_state{5000, 5, 12, 3};
  finish_response(answer, "/v1/events", "id-1", "00-a");
  const auto body = nlohmann::json::parse(answer.body);
  CHECK(answer.status == 429);
  CHECK(body["status"] == 429);
  CHECK(body["title"] == "Too Many Requests");
  CHECK(body["code"] == "rate_limited");
  CHECK(body["instance"] == "/v1/events");
  CHECK(body["request_id"] == "id-1");
  CHECK(body["errors"][0]["pointer"] == "/batch/0");
  CHECK(answer.headers.find("content-type") == "application/problem+json");
  CHECK(answer.headers.find("retry-after") == "7");
  CHECK(answer.headers.find("ratelimit") == "\"tenant\";r=12;t=3");
  CHECK(answer.headers.find("ratelimit-policy") == "\"tenant\";q=5000;w=5");
  CHECK(answer.headers.find("x-ratelimit-remaining") == "12");
  CHECK(content_type_taken("application/JSON; charset=utf-8", std::vector<std::string>{"application/json"}));
  CHECK_FALSE(content_type_taken("text/html", std::vector<std::string>{"application/json"}));
}

TEST_CASE("a refused take becomes a 429 with the bucket in its headers", "[http][f:1.4]") {
  const bucket_limits limits{1000, 5000};
  token_bucket bucket(limits, time_ms{0});
  CHECK(bucket.take(5000, time_ms{0}).ok);
  auto answer = response::problem(error{ec::rate_limited, "over the rate", ""});
  answer.rate = rate_of(limits, bucket.take(1500, time_ms{0}));
  finish_response(answer, "/", "id", "00-a");
  CHECK(answer.status == 429);
  CHECK(answer.headers.find("RateLimit-Policy") == "\"tenant\";q=5000;w=5");
  CHECK(answer.headers.find("RateLimit") == "\"tenant\";r=0;t=5");
  CHECK_FALSE(rate_of({0, 0}, {}).has_value());
}

TEST_CASE("pooled randomness gives no byte twice, whatever is asked for", "[http]") {
  struct counting final : random_source {
    std::uint8_t next = 0;

    void fill(std::span<std::uint8_t> bytes) override {
      for (auto& b : bytes)
        b = next++;
    }
  } source;
  pooled_random pooled(source);
  std::array<std::uint8_t, 3> three{};
  std::uint8_t expected = 0;
  for (int i = 0; i < 341; ++i) {
    pooled.fill(three);
    for (auto b : three)
      CHECK(b == expected++);
  }
  std::set<std::string> ids;
  pooled_random real(system_random());
  for (int i = 0; i < 1000; ++i)
    CHECK(ids.insert(real.next_uuid().str()).second);
  std::vector<std::uint8_t> large(5000);
  real.fill(large);
  CHECK(std::count(large.begin(), large.end(), 0) < 100);
}
