// Requests as seven SDKs of Segment and RudderStack were seen to send them, taken without a word.
#include "event_fixture.hpp"

#include <algorithm>

#include "models/event/standardise.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

/// A batch of events none of which is refused, standardised.
std::vector<event> taken(std::string body, request_shape shape = request_shape::batch) {
  std::vector<event> out;
  for (const auto& e : parse(std::move(body), shape).events) {
    INFO(e.verdict.code << e.verdict.pointer);
    CHECK(e.verdict.result != verdict_result::rejected);
    CHECK(e.raw.timed);
    out.push_back(std::move(*to_event(e.raw, tenant_id{7})));
  }
  return out;
}

} // namespace

TEST_CASE("segment-analytics-python", "[event][f:2.1]") {
  const auto events = taken(
      R"({"batch":[{"integrations":{},"anonymousId":null,"timestamp":"2026-11-23T23:58:19.657+00:00","context":{"library":{"name":"analytics-python","version":"2.4.0"}},
    "type":"identify","userId":"u1","traits":{"email":"a@example.com","plan":"pro"},"messageId":"77fae35a-0000-4000-8000-000000000000"},
   {"integrations":{"All":true},"anonymousId":null,"properties":{"order_id":"o1","revenue":39.9,"currency":"EUR","products":[{"product_id":"p1","price":19.95,"quantity":2}]},
    "timestamp":"2026-11-01T12:00:00.000+00:00","context":{"ip":"203.0.113.9","userAgent":"UA/1","campaign":{"source":"mail"},"library":{}},"userId":"u1","type":"track","event":"Order Completed","messageId":"my-msg-1"},
   {"anonymousId":"anon1","userId":null,"properties":{},"type":"track","event":"Product Viewed","timestamp":"2026-11-23T23:58:19.657+00:00"},
   {"category":"Docs","name":"Home","properties":{},"type":"page","userId":"u1","timestamp":"2026-11-23T23:58:19.657+00:00"},
   {"previousId":"anon1","userId":"u1","type":"alias","timestamp":"2026-11-23T23:58:19.657+00:00"},
   {"groupId":"g1","traits":{},"userId":"u1","type":"group","timestamp":"2026-11-23T23:58:19.657+00:00"}],
   "sentAt":"2026-11-23T23:58:20.691490+00:00","writeKey":"WK_test"})");
  REQUIRE(events.size() == 6);
  CHECK(events[0].email == "a@example.com");
  CHECK(events[1].amount->amount() == "39.90");
  CHECK(events[1].ip == "203.0.113.9");
  CHECK(events[1].message_id == "my-msg-1");
  CHECK(events[2].anonymous_id == "anon1");
  CHECK(events[2].customer.empty());
  CHECK(events[3].name == "Home");
  CHECK(events[5].type == "group");
}

TEST_CASE("rudder-sdk-python and rudder-sdk-node", "[event][f:2.1]") {
  auto events = taken(
      R"({"batch":[{"integrations":{"All":true},"anonymousId":null,"timestamp":"2026-11-23T23:58:40.691902+00:00","context":{"traits":{"email":"a@example.com"},"library":{}},"type":"identify","userId":"u1",
    "messageId":"m","channel":"server"},{"type":"track","event":"Order Completed","properties":{"revenue":39.9},"anonymousId":"anon1","userId":"u1","channel":"server","timestamp":"2026-11-23T23:58:40Z"}],"sentAt":"2026-11-23T23:58:40Z"})");
  REQUIRE(events.size() == 2);
  CHECK(events[0].email == "a@example.com");
  CHECK(events[0].properties == R"({"email":"a@example.com"})");
  events = taken(
      R"({"batch":[{"userId":"u1","traits":{"a":1},"context":{"traits":{"a":1},"library":{}},"type":"identify","channel":"server","_metadata":{"nodeVersion":"20.20.2"},"originalTimestamp":"2026-11-23T23:58:40.791Z",
    "messageId":"7795b0fa","sentAt":"2026-11-23T23:58:40.815Z"}],"timestamp":"2026-11-23T23:58:40.815Z","sentAt":"2026-11-23T23:58:40.815Z"})");
  REQUIRE(events.size() == 1);
  CHECK(format_time(events[0].occurred_at) == "2026-11-23T23:58:40.791Z");
}

TEST_CASE("@segment/analytics-node and analytics-go", "[event][f:2.1]") {
  auto events = taken(
      R"({"batch":[{"timestamp":"2026-11-23T23:58:41.954Z","integrations":{},"type":"identify","userId":"u1","traits":{},"context":{"library":{"name":"@segment/analytics-node","version":"3.1.0"}},
    "messageId":"node-next-1795478321954-cc592298-e6a8","_metadata":{"nodeVersion":"v20.20.2","jsRuntime":"node"}}],"writeKey":"WK_node","sentAt":"2026-11-23T23:58:42Z"})");
  CHECK(events.size() == 1);
  events = taken(
      R"({"messageId":"bbd33e4c","sentAt":"2026-11-23T23:59:11.597766117Z","batch":[{"type":"identify","messageId":"i","userId":"u1","timestamp":"2026-11-23T23:59:11.597345602Z","traits":{}},
    {"type":"track","messageId":"my-msg-1","userId":"u1","event":"Order Completed","timestamp":"2026-11-01T12:00:00Z","context":{"userAgent":"UA/1"},"properties":{"currency":"EUR","revenue":39.9}}],
    "context":{"library":{"name":"analytics-go","version":"3.0.0"}}})");
  REQUIRE(events.size() == 2);
  CHECK(events[0].context == R"({"library":{"name":"analytics-go","version":"3.0.0"}})");
  CHECK(events[1].user_agent == "UA/1");
}

TEST_CASE("@segment/analytics-next in a browser, by short routes", "[event][f:2.1]") {
  const std::string call =
      R"({"timestamp":"2026-11-23T23:58:46.521Z","integrations":{"Segment.io":true},"event":"Order Completed","type":"track","properties":{"revenue":39.9},"context":{"page":{"path":"/","referrer":"","search":"","title":"","url":"http://x/"},"userAgent":"M",
    "locale":"en-US","campaign":{"source":"mail","name":"spring_sale"},"timezone":"UTC","library":{"name":"analytics.js","version":"npm:next-1.84.3"}},"messageId":"ajs-next-1795478826587-eed87653","userId":"u1",
    "anonymousId":"8245eed8","writeKey":"WK_br","sentAt":"2026-11-23T23:58:46.600Z","_metadata":{"bundled":[]}})";
  auto events = taken(call, *shape_of_route("t"));
  REQUIRE(events.size() == 1);
  CHECK(events[0].user_agent == "M");
  events = taken(R"({"writeKey":"WK_br","batch":[)" + call + "," + call + R"(],"sentAt":"2026-11-23T23:58:46.600Z"})",
                 *shape_of_route("b"));
  CHECK(events.size() == 2);
  CHECK(events[0].id == events[1].id);
  CHECK_FALSE(shape_of_route("x").has_value());
}
