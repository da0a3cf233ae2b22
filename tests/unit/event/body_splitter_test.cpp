// Cutting bodies by structure: one broken event costs itself.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>

#include "models/event/body_splitter.hpp"

using namespace pulse;

namespace {

std::vector<std::string> cut(std::string_view body) {
  const auto split = split_events(body, 1000);
  return split.ok ? std::vector<std::string>(split.events.begin(), split.events.end())
                  : std::vector<std::string>{"refused"};
}

using list = std::vector<std::string>;

} // namespace

TEST_CASE("a body is one object, an array, or a line each", "[event][f:2.1]") {
  CHECK(cut(R"( {"a":1} )") == list{R"({"a":1})"});
  CHECK(cut("\xef\xbb\xbf{}") == list{"{}"});
  CHECK(cut(R"([{"a":[1,2]} , {"b":"]},{"}])") == list{R"({"a":[1,2]})", R"({"b":"]},{"})"});
  CHECK(cut("{\"a\":1}\n\n{\"b\":2}\r\n") == list{R"({"a":1})", R"({"b":2})"});
  CHECK(cut("{\n \"a\": {\n  \"b\": 2 }\n}") == list{"{\n \"a\": {\n  \"b\": 2 }\n}"});
  CHECK(cut("[]").empty());
  CHECK(cut("") == list{"refused"});
  CHECK(cut("hello") == list{"refused"});
  CHECK(cut("[{}] x") == list{"refused"});
}

TEST_CASE("a broken element of an array costs only itself", "[event][f:2.3]") {
  CHECK(cut(R"([{"a":1},{"b":tru},{"c":3}])") == list{R"({"a":1})", R"({"b":tru})", R"({"c":3})"});
  CHECK(cut(R"([{"a":1},,{"c":3}])") == list{R"({"a":1})", "", R"({"c":3})"});
  CHECK(cut(R"([{"a":1}},{"c":3}])") == list{R"({"a":1}})", R"({"c":3})"});
  CHECK(cut(R"([{"a":"open},{"c":3}])") == list{R"({"a":"open})", R"({"c":3})"});
  CHECK(cut(R"([{"a":{"b":1},{"c":3},{"d":4}])") == list{R"({"a":{"b":1})", R"({"c":3})", R"({"d":4})"});
  CHECK(cut(R"([{"p":[{"x":"open},{"y":1}]},{"c":3}])") == list{R"({"p":[{"x":"open},{"y":1}]})", R"({"c":3})"});
  CHECK(cut(R"([{"a":1},{"b":)") == list{R"({"a":1})", R"({"b":)"});
}

TEST_CASE("a broken line of NDJSON costs only itself", "[event][f:2.3]") {
  CHECK(cut("{\"a\":\"open\n{\"b\":2}\nnonsense\n{\"c\":3}") ==
        list{"{\"a\":\"open", "{\"b\":2}", "nonsense", "{\"c\":3}"});
}

TEST_CASE("a batch is cut into its events and its other fields", "[event][f:2.1]") {
  const auto split = split_batch(R"({"context":{"a":[1]},"batch":[{"x":1},{"y":2}],"sentAt":"t","k":{"z":"}"}})", 10);
  REQUIRE(split.ok);
  CHECK(split.events == std::vector<std::string_view>{R"({"x":1})", R"({"y":2})"});
  CHECK(split.fields == std::vector<std::string_view>{R"("context":{"a":[1]})", R"("sentAt":"t")", R"("k":{"z":"}"})"});
  CHECK_FALSE(split_batch(R"({"batch":{}})", 10).ok);
  CHECK_FALSE(split_batch(R"({"events":[]})", 10).ok);
  CHECK_FALSE(split_batch(R"({"batch":[]} x)", 10).ok);
  CHECK_FALSE(split_batch("[]", 10).ok);
  const auto broken = split_batch(R"({"batch":[{"x":"open},{"y":2}],"sentAt":"t"})", 10);
  CHECK(broken.events.size() == 2);
  CHECK(broken.fields.size() == 1);
}

TEST_CASE("more events than allowed are said to be too many", "[event][f:1.6]") {
  CHECK(split_events("[1,2,3]", 2).too_many);
  CHECK_FALSE(split_events("[1,2]", 2).too_many);
  CHECK(split_events("{}\n{}\n{}", 2).too_many);
}

TEST_CASE("escapes that no text store can hold are replaced in place", "[event][f:2.3]") {
  const auto repaired = [](std::string s) {
    const auto n = repair_escapes(s.data(), s.size()).size();
    return s + std::to_string(n);
  };
  CHECK(repaired(R"("a\u0000b")") == R"("a\ufffdb"1)");
  CHECK(repaired(R"("\\u0000")") == R"("\\u0000"0)");
  CHECK(repaired(R"("\ud83d\ude00")") == R"("\ud83d\ude00"0)");
  CHECK(repaired(R"("\ud83dx")") == R"("\ufffdx"1)");
  CHECK(repaired(R"("\ude00\ud83d")") == R"("\ufffd\ufffd"2)");
  CHECK(repaired(R"("\ud83d\ud83d\ude00")") == R"("\ufffd\ud83d\ude00"1)");
  CHECK(repaired(R"("\u00)") == R"("\u000)");
  CHECK(repaired("\\") == "\\0");
}

TEST_CASE("cutting never loses a byte of a good array and never runs past the end", "[event]") {
  const auto seed = 20261124U;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string alphabet = "{}[]\",:\\ \na1";
  for (int round = 0; round < 20000; ++round) {
    std::string noise(random() % 24, ' ');
    for (auto& c : noise)
      c = alphabet[random() % alphabet.size()];
    for (const auto& body : {noise, "[" + noise, "{" + noise, "{\"batch\":[" + noise}) {
      for (const auto& split : {split_events(body, 100), split_batch(body, 100)})
        for (auto text : split.events)
          REQUIRE((text.data() >= body.data() && text.data() + text.size() <= body.data() + body.size()));
    }
  }
}
