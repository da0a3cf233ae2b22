// An event's id: the same event again has the same id; nothing but its own time and message id goes in.
#include "event_fixture.hpp"

#include "models/event/event_identity.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

const parsed_event& only(const parsed_request& parsed) {
  REQUIRE(parsed.events.size() == 1);
  return parsed.events[0];
}

std::string batch(std::string_view event, std::string_view more = "") {
  return R"({"batch":[)" + std::string(event) + "]" + std::string(more) + "}";
}

std::int64_t ms(std::string_view text) {
  return parse_time(text)->value;
}

} // namespace

TEST_CASE("the same event sent again has the same id, whatever surrounds it", "[event][f:2.4]") {
  const auto first = only(parse(track())).raw;
  CHECK(first.timed);
  CHECK(first.id.unix_ms() == ms("2026-11-24T01:00:00Z"));
  CHECK(first.id.value.bytes[6] >> 4 == 7);
  CHECK(first.id.value.bytes[8] >> 6 == 2);
  const auto later = context_at(time_ms{received.value + 5 * hour_ms});
  CHECK(only(parse(track(R"(,"more":1)"), request_shape::events, later)).raw.id == first.id);
  const auto again = parse(batch(track(), R"(,"timestamp":"2026-11-24T05:00:00Z","sentAt":"2026-11-24T06:00:00Z")"),
                           request_shape::batch, later);
  CHECK(only(again).raw.id == first.id);
}

TEST_CASE("tenant, message id, own time and a test key each change the id", "[event]") {
  const auto id = only(parse(track())).raw.id;
  auto other = context_at();
  other.tenant = tenant_id{8};
  CHECK(only(parse(track(), request_shape::events, other)).raw.id != id);
  other = context_at();
  other.test = true;
  CHECK(only(parse(track(), request_shape::events, other)).raw.id != id);
  CHECK(only(parse(track(R"(,"messageId":"m2")"))).raw.id != id);
  CHECK(only(parse(track(R"(,"timestamp":"2026-11-24T01:00:00.001Z")"))).raw.id != id);
}

TEST_CASE("without a message id every event is another, unless the request is named", "[event]") {
  const std::string body = R"([{"type":"page","userId":"u"},{"type":"page","userId":"u"}])";
  const auto a = parse(body);
  CHECK(a.events[0].raw.id != a.events[1].raw.id);
  CHECK(a.events[0].raw.message_id.empty());
  auto named = context_at();
  named.idempotency_key = "req-1";
  const auto b = parse(body, request_shape::events, named);
  const auto c = parse(body, request_shape::events, named);
  CHECK(b.events[0].raw.id == c.events[0].raw.id);
  CHECK(b.events[0].raw.id != b.events[1].raw.id);
  CHECK(b.events[1].raw.message_id == "idempotency:req-1:1");
  const auto fat = parse(track(",\"messageId\":\"" + std::string(600, 'm') + "\""));
  CHECK(fat.events[0].raw.message_id.size() == 71);
  CHECK(fat.events[0].verdict.code == "message_id_too_long");
}

TEST_CASE("a time makes the id only within the horizon, a day ahead, and on a sane clock", "[event][f:2.4]") {
  const time_limits limits{time_ms{received.value - 730 * day_ms}};
  const auto at = [&](std::int64_t own, std::optional<std::int64_t> sent = std::nullopt) {
    client_times times{time_ms{own}, std::nullopt, std::nullopt};
    if (sent)
      times.sent_at = time_ms{*sent};
    return resolve_time(times, received, limits);
  };
  const auto now = received.value;
  CHECK(at(now).timed);
  CHECK(at(now + day_ms).timed);
  CHECK_FALSE(at(now + day_ms + 1).timed);
  CHECK(at(now - 730 * day_ms).timed);
  CHECK_FALSE(at(now - 730 * day_ms - 1).timed);
  CHECK(at(now, now + day_ms).timed);
  CHECK_FALSE(at(now, now + day_ms + 1).timed);
  CHECK_FALSE(at(now, now - day_ms - 1).timed);
  // A clock of 1970, an hour between event and sending: an hour before it was received.
  const auto corrected = at(10 * day_ms, 10 * day_ms + hour_ms);
  CHECK(corrected.occurred_at.value == now - hour_ms);
  CHECK(corrected.id_time == corrected.occurred_at);
  CHECK(corrected.reason == untimed_reason::clock_skew);
  CHECK(at(0).occurred_at == received);
}

TEST_CASE("occurred_at and the id's time are never more than a day apart", "[event][f:2.4]") {
  const time_limits limits{time_ms{received.value - 730 * day_ms}};
  const std::int64_t offsets[] = {-9'000 * day_ms, -730 * day_ms, -3 * day_ms,   -day_ms - 1, -day_ms, -1, 0, 1,
                                  day_ms,          day_ms + 1,    9'000 * day_ms};
  const auto pick = [&](std::size_t i) {
    return i == 0 ? std::nullopt : std::optional{time_ms{received.value + offsets[i - 1]}};
  };
  for (std::size_t a = 0; a < 12; ++a)
    for (std::size_t b = 0; b < 12; ++b)
      for (std::size_t c = 0; c < 12; ++c) {
        const auto t = resolve_time({pick(a), pick(b), pick(c)}, received, limits);
        CHECK(std::abs(t.occurred_at.value - t.id_time.value) <= day_ms);
        CHECK(t.id_time >= limits.horizon);
        CHECK(t.id_time.value <= received.value + day_ms);
        CHECK((!t.timed || (t.id_time == *pick(a) && t.occurred_at == t.id_time)));
      }
}

TEST_CASE("an event is dated by timestamp, originalTimestamp, the batch's timestamp, sentAt, receipt",
          "[event][f:2.4]") {
  const auto occurred = [](std::string_view event, std::string_view more = "") {
    return format_time(only(parse(batch(event, more), request_shape::batch)).raw.occurred_at);
  };
  const std::string both = R"(,"timestamp":"2026-11-24T01:30:00Z","sentAt":"2026-11-24T01:40:00Z")";
  CHECK(
      occurred(
          R"({"type":"page","userId":"u","timestamp":"2026-11-23T00:00:00Z","originalTimestamp":"2026-11-22T00:00:00Z"})",
          both) == "2026-11-23T00:00:00.000Z");
  CHECK(occurred(R"({"type":"page","userId":"u","originalTimestamp":"2026-11-22T00:00:00Z"})", both) ==
        "2026-11-22T00:00:00.000Z");
  CHECK(occurred(R"({"type":"page","userId":"u"})", both) == "2026-11-24T01:30:00.000Z");
  CHECK(occurred(R"({"type":"page","userId":"u"})", R"(,"sentAt":"2026-11-24T01:40:00Z")") ==
        "2026-11-24T01:40:00.000Z");
  CHECK(occurred(R"({"type":"page","userId":"u"})") == "2026-11-24T02:00:00.000Z");
  const auto untimed =
      only(parse(batch(R"({"type":"page","userId":"u","messageId":"m"})", both), request_shape::batch)).raw;
  CHECK_FALSE(untimed.timed);
  CHECK(untimed.id.unix_ms() == received.value);
}
