// From the log's record to the event: exact amounts, lines, contexts, and the codec between.
#include "event_fixture.hpp"

#include <algorithm>

#include "models/event/raw_codec.hpp"
#include "models/event/standardise.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

/// The whole way: parsed, encoded, decoded, standardised.
event through(std::string body, request_shape shape = request_shape::events, currency fallback = {}) {
  const auto parsed = parse(std::move(body), shape);
  REQUIRE_FALSE(parsed.events.empty());
  const auto raw = decode(encode(parsed.events[0].raw));
  REQUIRE(raw.ok());
  auto out = to_event(*raw, tenant_id{7}, fallback);
  REQUIRE(out.ok());
  return std::move(*out);
}

} // namespace

TEST_CASE("an order's amount and lines are read by their digits", "[event][f:2.1]") {
  const auto e =
      through(track(R"(,"properties":{"order_id":17,"revenue":1234567.895,"total":1,"currency":"eur","products":[
    {"product_id":"p1","name":"Tea","category":"Drinks","price":0.1,"quantity":3},{"sku":"p2","price":"19.999999"}]})",
                    "Order Completed"));
  CHECK(e.type == "track");
  CHECK(e.name == "Order Completed");
  CHECK(e.customer == "u1");
  CHECK(e.order_id == "17");
  CHECK(e.amount->amount() == "1234567.90");
  CHECK(e.amount->unit.str() == "EUR");
  REQUIRE(e.products.size() == 2);
  CHECK(e.products[0] == order_line{"p1", "Tea", "Drinks", decimal{100'000}, decimal{3'000'000}});
  CHECK(e.products[1] == order_line{"p2", "", "", decimal{19'999'999}, decimal{1'000'000}});
}

TEST_CASE("the amount is revenue, else total, else value, in the tenant's currency where none is given",
          "[event][f:2.1]") {
  const auto amount = [](std::string_view properties) {
    const auto e =
        through(track(",\"properties\":" + std::string(properties)), request_shape::events, *parse_currency("JPY"));
    return e.amount ? e.amount->amount() + e.amount->unit.str() : std::string("none");
  };
  CHECK(amount(R"({"total":2,"value":3,"currency":"EUR"})") == "2.00EUR");
  CHECK(amount(R"({"revenue":null,"value":3,"currency":"EUR"})") == "3.00EUR");
  CHECK(amount(R"({"value":1250.5})") == "1251JPY");
  CHECK(amount(R"({"revenue":"a lot"})") == "none");
  CHECK(amount(R"({"revenue":)" + std::string(400, '9') + "}") == "none");
  CHECK(amount("{}") == "none");
}

TEST_CASE("a product event describes one product by its own properties", "[event][f:2.1]") {
  const auto e = through(track(R"(,"properties":{"product_id":"p9","price":5,"name":"Mug"})", "Product Viewed"));
  REQUIRE(e.products.size() == 1);
  CHECK(e.products[0].product_id == "p9");
  CHECK(through(track(R"(,"properties":{"product_id":"p9"})", "Something Else")).products.empty());
}

TEST_CASE("the batch's context fills the gaps of the event's own", "[event][f:2.1]") {
  const auto context = [](std::string_view event) {
    return through(R"({"batch":[{"type":"page","userId":"u")" + std::string(event) +
                       R"(}],"context":{"ip":"203.0.113.1","userAgent":"B"}})",
                   request_shape::batch);
  };
  auto e = context(R"(,"context":{"ip":"203.0.113.9","page":{"url":"x"}})");
  CHECK(e.context == R"({"ip":"203.0.113.9","page":{"url":"x"},"userAgent":"B"})");
  CHECK(e.ip == "203.0.113.9");
  CHECK(e.user_agent == "B");
  e = context("");
  CHECK(e.context == R"({"ip":"203.0.113.1","userAgent":"B"})");
  CHECK(e.ip == "203.0.113.1");
}

TEST_CASE("a record of the log gives back what went in", "[event]") {
  auto raw = parse(track(R"(,"properties":{"a":"\u0000 \"é\""})")).events[0].raw;
  raw.trace.value.bytes[3] = 9;
  raw.client_ip = "::1";
  raw.batch_context = R"({"x":[1, 2]})";
  raw.test = true;
  const auto back = decode(encode(raw));
  REQUIRE(back.ok());
  CHECK(back->kind == raw.kind);
  CHECK(back->id == raw.id);
  CHECK(back->message_id == raw.message_id);
  CHECK(back->type == raw.type);
  CHECK(back->occurred_at == raw.occurred_at);
  CHECK(back->received_at == raw.received_at);
  CHECK(back->timed == raw.timed);
  CHECK(back->test == raw.test);
  CHECK(back->client_ip == raw.client_ip);
  CHECK(back->trace == raw.trace);
  CHECK(back->notes == raw.notes);
  CHECK(back->body == raw.body);
  CHECK(back->batch_context == raw.batch_context);
}

TEST_CASE("what was refused survives the log whatever its bytes are", "[event]") {
  for (const std::string& body :
       {std::string("{\"a\":"), std::string("\xff\x00\x80", 3), std::string(), std::string("\"\\\n\x01")}) {
    raw_event raw;
    raw.kind = raw_kind::refused;
    raw.notes = {{"not_json", "/a", "why \"so\""}};
    raw.body = body;
    const auto back = decode(encode(raw));
    REQUIRE(back.ok());
    CHECK(back->body == body);
    CHECK(back->kind == raw_kind::refused);
    CHECK(back->notes == raw.notes);
  }
}

TEST_CASE("a record that is none is corrupt, a newer one unsupported", "[event]") {
  for (auto text : {"", "{}", "[]", "{\"v\":1,\"k\":\"nothing\"}", "{\"v\":1,\"id\":\"x\"}", "{\"v\":1"})
    CHECK(decode(text).err().code == ec::corrupt);
  CHECK(decode(R"({"v":2})").err().code == ec::unsupported);
}

TEST_CASE("traits are an identify call's properties, from wherever the client put them", "[event][f:2.1]") {
  CHECK(through(R"({"type":"identify","userId":"u","traits":{"email":"a@x"}})").properties == R"({"email":"a@x"})");
  const auto e = through(R"({"type":"identify","userId":"u","context":{"traits":{"email":"b@x"}}})");
  CHECK(e.properties == R"({"email":"b@x"})");
  CHECK(e.email == "b@x");
  CHECK(through(R"({"type":"page","userId":"u","name":"Home"})").name == "Home");
  CHECK(through(R"({"type":"group","userId":"u"})").name == "group");
}
