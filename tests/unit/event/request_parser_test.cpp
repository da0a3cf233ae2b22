// Verdicts: what is taken, what is refused, and why.
#include "event_fixture.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "models/event/event_catalogue.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

/// Code of the only event's verdict.
std::string code_of(std::string body, request_shape shape = request_shape::events) {
  const auto parsed = parse(std::move(body), shape);
  REQUIRE(parsed.events.size() == 1);
  const auto& v = parsed.events[0].verdict;
  return fmt::format("{} {} {}", to_string(v.result), v.code, v.pointer);
}

std::string nested(int depth) {
  std::string out = "1";
  for (int i = 0; i < depth; ++i)
    out = "[" + out + "]";
  return out;
}

std::string keys(int n) {
  std::string out = "{";
  for (int i = 0; i < n; ++i)
    out += fmt::format("{}\"k{}\":1", i == 0 ? "" : ",", i);
  return out + "}";
}

} // namespace

TEST_CASE("a good event is ok", "[event][f:2.3]") {
  CHECK(code_of(track()) == "ok  ");
  CHECK(code_of(R"({"type":"Identify","anonymousId":5})") == "ok  ");
  CHECK(code_of(R"({"event":"X","userId":"u"})") == "warning missing_type /type");
}

TEST_CASE("refused are only what can't be an event", "[event][f:2.3]") {
  CHECK(code_of(R"([{"type":"track",}])") == "rejected not_json /type");
  CHECK(code_of("[5]") == "rejected not_object ");
  CHECK(code_of(R"({"userId":"u"})") == "rejected no_type /type");
  CHECK(code_of(R"({"type":"purchase","event":"X","userId":"u"})") == "rejected no_type /type");
  CHECK(code_of(R"({"type":5,"event":"X","userId":"u"})") == "rejected no_type /type");
  CHECK(code_of(R"({"type":"track","userId":"u"})") == "rejected no_event_name /event");
  CHECK(code_of(R"({"type":"track","event":"  ","userId":"u"})") == "rejected no_event_name /event");
  CHECK(code_of(R"({"type":"page"})") == "rejected no_user /userId");
  CHECK(code_of(R"({"type":"page","userId":"","anonymousId":null})") == "rejected no_user /userId");
  CHECK(code_of(track(",\"a\":" + nested(32))) == "rejected too_deep /a" + [] {
    std::string s;
    for (int i = 0; i < 31; ++i)
      s += "/0";
    return s;
  }());
  CHECK(code_of(track(",\"a\":" + nested(31))) == "ok  ");
  CHECK(code_of(track(",\"a\":" + keys(257))) == "rejected too_many_keys /a/k256");
  CHECK(code_of(track(",\"a\":" + keys(256))) == "ok  ");
  CHECK(code_of(R"([{"type":"page","userId":"u","a":01}])") == "rejected not_json /a");
  CHECK(code_of(R"([{"type":"page","userId":"u"} x])") == "rejected not_json /userId");
  CHECK(code_of("[{\"type\":\"page\",\"userId\":\"u\xff\"}]").starts_with("rejected not_json"));
  CHECK(code_of("[{\"type\":\"page\",\"userId\":\"u\n\"}]").starts_with("rejected not_json"));
}

TEST_CASE("an event is too large above 32 KB, an order above 256 KB", "[event][f:1.6]") {
  const auto fat = [](std::size_t n) {
    return ",\"pad\":\"" + std::string(n, 'x') + "\"";
  };
  CHECK(code_of(track(fat(32 * 1024))) == "rejected too_large ");
  CHECK(code_of(track(fat(32 * 1024), "Order Imported")) == "ok  ");
  CHECK(code_of(track(fat(256 * 1024), "Order Imported")) == "rejected too_large ");
  const auto parsed = parse(track(fat(300 * 1024)));
  CHECK(parsed.events[0].raw.body.size() == 32 * 1024);
  CHECK(parsed.events[0].raw.kind == raw_kind::refused);
  CHECK_FALSE(parsed.events[0].raw.id.value.is_nil());
}

TEST_CASE("what is only odd is kept with a warning and a pointer", "[event][f:2.3]") {
  CHECK(code_of(track(R"(,"userId":"u2")")) == "warning duplicate_key /userId");
  CHECK(code_of(track(",\"properties\":{\"n\":" + std::string(400, '9') + "}")) ==
        "warning number_out_of_range /properties/n");
  CHECK(code_of(track(",\"properties\":{\"n\":1e400}")) == "warning number_out_of_range /properties/n");
  CHECK(code_of(track(R"(,"properties":[1])")) == "warning wrong_type /properties");
  CHECK(code_of(track(R"(,"anonymousId":{})")) == "warning wrong_type /anonymousId");
  CHECK(code_of(track(R"(,"properties":{"revenue":"12.50","currency":"EUR"})")) ==
        "warning wrong_type /properties/revenue");
  CHECK(code_of(track(R"(,"properties":{"revenue":[],"currency":"EUR"})")) == "warning wrong_type /properties/revenue");
  CHECK(code_of(track(R"(,"properties":{"revenue":1,"currency":"euro"})")) ==
        "warning bad_currency /properties/currency");
  CHECK(code_of(track(R"(,"properties":{"products":[{"product_id":"p"},7]})")) ==
        "warning wrong_type /properties/products/1");
  CHECK(code_of(track(R"(,"properties":{"a/b":{"x":"\u0000"}})")) == "warning replaced_characters /properties/a~1b/x");
  CHECK(code_of(track(R"(,"sentAt":"yesterday")")) == "warning bad_timestamp /sentAt");
  CHECK(code_of(R"({"type":"page","userId":"u","timestamp":"1970-01-01T00:00:00Z"})") ==
        "warning timestamp_out_of_range /timestamp");
  CHECK(code_of(R"({"type":"page","userId":"u","timestamp":"2100-01-01T00:00:00Z"})") ==
        "warning timestamp_out_of_range /timestamp");
  CHECK(code_of(R"({"type":"page","userId":"u","timestamp":1700000000})") == "warning bad_timestamp /timestamp");
  CHECK(code_of(R"({"type":"page","userId":"u","messageId":{}})") == "warning wrong_type /messageId");
  CHECK(code_of(R"({"type":"track","event":"Order Completed","userId":"u"})") ==
        "warning missing_property /properties/order_id");
}

TEST_CASE("a number that no store can hold becomes null, with a warning", "[event][f:2.3]") {
  const auto parsed = parse(track(R"(,"properties":{"n":1e999999})"));
  CHECK(parsed.events[0].verdict.code == "number_out_of_range");
  CHECK(parsed.events[0].raw.body.find(R"("n":null    })") != std::string::npos);
}

TEST_CASE("a complete order is ok, and every event of the catalogue is known", "[event][f:2.2]") {
  CHECK(
      code_of(track(
          R"(,"properties":{"order_id":"o1","revenue":39.9,"currency":"EUR","products":[{"product_id":"p1","price":19.95,"quantity":2}]})",
          "Order Completed")) == "ok  ");
  CHECK(event_catalogue().size() == 28);
  for (const auto& entry : event_catalogue()) {
    CHECK(find_catalogue_entry(entry.name) == &entry);
    CHECK(code_of(track("", entry.name)).starts_with("warning missing_property"));
  }
  CHECK(find_catalogue_entry("Order") == nullptr);
}

TEST_CASE("one bad event never costs its neighbours", "[event][f:2.3]") {
  const auto good = track();
  for (std::string_view bad :
       {"{", "}", "nul", "{\"a\":\"\\x\"}", "{\"a\":1 \"b\":2}", "{\"a\":\"open}", "{\"a\":[1}", "\"", "{\"a\":{}"}) {
    const auto parsed = parse("[" + good + "," + std::string(bad) + "," + good + "]");
    INFO(bad);
    REQUIRE(parsed.events.size() == 3);
    CHECK(parsed.events[0].verdict.result == verdict_result::ok);
    CHECK(parsed.events[1].verdict.result == verdict_result::rejected);
    CHECK(parsed.events[2].verdict.result == verdict_result::ok);
    CHECK(parsed.events[2].verdict.index == 2);
    CHECK(parsed.events[1].raw.body == bad);
  }
}

TEST_CASE("a body that is no JSON as a whole is malformed, and too many events are too large", "[event][f:1.6]") {
  CHECK(parse_error("").code == ec::malformed);
  CHECK(parse_error("{\"type\":").code == ec::malformed);
  CHECK(parse_error("{\"batch\":5}", request_shape::batch).code == ec::malformed);
  CHECK(parse_error("[" + track() + "]", request_shape::track).code == ec::malformed);
  CHECK(parse_error(R"({"batch":[],"context":{"a":nul}})", request_shape::batch).code == ec::malformed);
  std::string many = "[1";
  for (int i = 0; i < 2500; ++i)
    many += ",1";
  CHECK(parse_error(many + "]").code == ec::too_large);
}

TEST_CASE("a writeKey that contradicts the key is refused, and none is kept", "[event][f:2.1]") {
  auto context = context_at();
  context.key = "pe_live_abc";
  CHECK(parse_error(R"({"batch":[],"writeKey":"other"})", request_shape::batch, context).code == ec::unauthorized);
  CHECK(parse_error(track(R"(,"writeKey":"other")"), request_shape::track, context).code == ec::unauthorized);
  const auto parsed = parse(track(R"(,"writeKey":"pe_live_abc")"), request_shape::track, context);
  CHECK(parsed.events[0].raw.body.find("pe_live") == std::string::npos);
  const auto broken = parse(R"([{"writeKey":"pe_live_abc","type":}])", request_shape::events, context);
  CHECK(broken.events[0].raw.body == R"({"writeKey":"***********","type":})");
  CHECK(find_write_key(R"({"batch":[{"x":1},{}],"writeKey":"k1"})") == "k1");
  CHECK(find_write_key(R"({"type":"page","writeKey":"k2"})") == "k2");
  CHECK(find_write_key("nonsense").empty());
}

TEST_CASE("a body cut or changed anywhere gives verdicts or an error, never anything else", "[event]") {
  const auto good =
      "[" + track(R"(,"properties":{"a":[1,{"b":"\u0000"}],"c":1.5e3},"writeKey":"k")") + "," + track() + "]";
  const std::string alphabet = "{}[]\",:\\u0 \n\xff";
  for (std::size_t i = 0; i <= good.size(); ++i) {
    for (char c : alphabet) {
      auto body = good;
      if (i < body.size())
        body[i] = c;
      const auto parsed = parse_request(body, request_shape::events, context_at());
      CHECK((!parsed || parsed->events.size() <= 12));
    }
    auto body = good.substr(0, i);
    (void)parse_request(body, request_shape::batch, context_at());
    body = good.substr(0, i);
    (void)parse_request(body, request_shape::events, context_at());
  }
}
