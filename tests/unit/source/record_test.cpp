// A record of a tenant's topic as an event: where members come from, digits, ids, and what is no event.
#include <catch2/catch_test_macros.hpp>

#include "models/source/record.hpp"
#include "tests/unit/event/event_fixture.hpp"

using namespace pulse;
using source::record_mapping;

namespace {

const source::origin orders{"orders", "TOPIC-ID"};

std::string mapped(const char* mapping, const char* record) {
  const auto m = record_mapping::compile(mapping);
  INFO((m ? "" : m.err().detail));
  REQUIRE(m.ok());
  json_index index;
  REQUIRE(index.parse(record) == json_fault::none);
  const auto out = m->apply(index);
  return out ? *out : "error: " + out.err().detail;
}

parsed_event event_of(std::string value, const char* mapping = "{}", std::int64_t offset = 17,
                      std::int64_t time = 1'795'000'000'000) {
  return source::to_event({3, offset, time, std::move(value)}, orders, record_mapping::compile(mapping).value(),
                          testing::context_at(time_ms{1'795'000'100'000}));
}

} // namespace

TEST_CASE("members come from where the mapping says, and numbers keep their digits", "[source][f:2.14]") {
  CHECK(
      mapped(R"({"/type":{"value":"track"},"/event":"/kind","/properties/total":"/sum","/properties/a~1b":"/n/1",
                   "/userId":"/customer/id","/properties/deep/x":"/n"})",
             R"({"kind":"Order \"X\"","sum":12.100000000000000000001,"customer":{"id":"u1"},"n":[1,1e400,3]})") ==
      R"({"event":"Order \"X\"","properties":{"a/b":1e400,"deep":{"x":[1,1e400,3]},"total":12.100000000000000000001},)"
      R"("type":"track","userId":"u1"})");
}

TEST_CASE("what a record lacks is left out, unless there is a default", "[source][f:2.14]") {
  const auto* m = R"({"/userId":"/u","/properties/a":{"from":"/a","default":7},"/properties/b":"/b/c/0"})";
  CHECK(mapped(m, "{}") == R"({"properties":{"a":7}})");
  CHECK(mapped(m, R"({"u":null,"a":null,"b":{"c":[]}})") == R"({"properties":{"a":7}})");
  CHECK(mapped(m, R"({"u":5,"a":false,"b":{"c":["x"]}})") == R"({"properties":{"a":false,"b":"x"},"userId":5})");
  CHECK(mapped(R"({"/properties":""})", R"({"a":1})") == R"({"properties":{"a":1}})");
}

TEST_CASE("times that are numbers become times", "[source][f:2.14]") {
  CHECK(mapped(R"({"/timestamp":{"from":"/t","as":"epoch_ms"}})", R"({"t":1790000000123})") ==
        R"({"timestamp":"2026-09-21T14:13:20.123Z"})");
  CHECK(mapped(R"({"/timestamp":{"from":"/t","as":"epoch_s"}})", R"({"t":"1790000000.9"})") ==
        R"({"timestamp":"2026-09-21T14:13:20.000Z"})");
  for (const auto* t : {R"({"t":"soon"})", R"({"t":-1})", R"({"t":99999999999999999999})", R"({"t":{}})"})
    CHECK(mapped(R"({"/timestamp":{"from":"/t","as":"epoch_s"}})", t).starts_with("error: /t: "));
}

TEST_CASE("a mapping that can't be meant is refused with its place", "[source][f:2.14]") {
  for (const auto* m :
       {R"([])", R"({"userId":"/a"})", R"({"/userId":"a"})", R"({"/userId":5})", R"({"/userId":{"default":5}})",
        R"({"/userId":{"from":"/a","as":"money"}})", R"({"/userId":{"value":1,"from":"/a"}})", R"({"/secret":"/a"})",
        R"({"/properties":"/a","/properties/x":"/b"})", R"({"/userId":"/a~2"})", R"({"":"/a"})"}) {
    const auto compiled = record_mapping::compile(m);
    INFO(m);
    REQUIRE_FALSE(compiled.ok());
    CHECK(compiled.err().code == ec::invalid);
    CHECK(compiled.err().pointer.starts_with("/mapping"));
  }
}

TEST_CASE("an event without an id has one of its place, so it is the same event when it is read again",
          "[source][f:2.14][f:2.4]") {
  const auto* bare = R"({"type":"track","event":"Order Completed","userId":"u1","messageId":null})";
  const auto first = event_of(bare), again = event_of(bare), next = event_of(bare, "{}", 18);
  REQUIRE(first.raw.kind == raw_kind::event);
  CHECK(first.raw.message_id == "kafka:TOPIC-ID:3:17");
  CHECK(first.raw.timed);
  CHECK(first.raw.id == again.raw.id);
  CHECK(first.raw.id != next.raw.id);
  CHECK(first.raw.occurred_at == time_ms{1'795'000'000'000});
}

TEST_CASE("an event's own id and time stay", "[source][f:2.14]") {
  const auto e =
      event_of(R"({"type":"track","event":"A","userId":"u1","messageId":"m","timestamp":"2026-11-18T00:00:00Z"})");
  REQUIRE(e.raw.kind == raw_kind::event);
  CHECK(e.raw.message_id == "m");
  CHECK(e.raw.occurred_at == *parse_time("2026-11-18T00:00:00Z"));
  CHECK(e.raw.notes.empty());
}

TEST_CASE("a record that is no event is refused with its place in the topic", "[source][f:2.14]") {
  for (const auto& [value, code] : {std::pair{"", "empty_record"},
                                    {"not json", "not_json"},
                                    {"[1]", "not_json"},
                                    {R"({"type":"track"} {"type":"track"})", "not_json"},
                                    {R"({"type":"track","event":"A"})", "no_user"},
                                    {"{}", "no_type"}}) {
    const auto e = event_of(value);
    INFO(value);
    REQUIRE(e.raw.kind == raw_kind::refused);
    // An event that lacks something is kept with its id, so that it is the same one when it was mended.
    const bool is_event = std::string_view(code).starts_with("no_");
    CHECK((is_event ? e.raw.body.find("kafka:TOPIC-ID:3:17") != std::string::npos : e.raw.body == value));
    CHECK(e.verdict.result == verdict_result::rejected);
    REQUIRE_FALSE(e.raw.notes.empty());
    CHECK(e.raw.notes[0].code == code);
    CHECK(e.raw.notes[0].detail.starts_with("topic orders, partition 3, offset 17: "));
  }
  const auto e = event_of(R"({"t":"soon"})", R"({"/timestamp":{"from":"/t","as":"epoch_ms"}})");
  CHECK(e.raw.notes[0].code == "not_mapped");
}

TEST_CASE("whatever a record is, it becomes one event or one refusal", "[source][f:2.14]") {
  const std::string seed = R"({"a":{"b":[1,2,{"c":"d"}]},"userId":"u","type":"track","event":"x","n":1e5})";
  const auto* m = R"({"/type":"/type","/event":"/event","/userId":"/userId","/properties/x":"/a/b/2/c"})";
  for (std::size_t i = 0; i < seed.size(); ++i)
    for (const char c : {'"', '{', '}', '\0', '\xff', ' ', '9'}) {
      auto broken = seed;
      broken[i] = c;
      for (const auto* mapping : {"{}", m}) {
        const auto e = event_of(broken, mapping);
        CHECK((e.raw.kind == raw_kind::refused) == (e.verdict.result == verdict_result::rejected));
        CHECK_FALSE(e.raw.id.value.is_nil());
      }
    }
}
