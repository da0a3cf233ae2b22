// The scanner that reads every event: what it takes is what simdjson's DOM takes, and it gives back what stands there.
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <simdjson.h>
#include <string>

#include "models/event/json_index.hpp"

using namespace pulse;

namespace {

bool dom_takes(const std::string& text) {
  static simdjson::dom::parser parser;
  simdjson::dom::element root;
  return !parser.parse(text).get(root) && root.is_object();
}

std::string text_at(std::string_view json, std::string_view key) {
  json_index index;
  REQUIRE(index.parse(json) == json_fault::none);
  const auto node = index.at({key});
  REQUIRE(node != nullptr);
  return std::string(node->text);
}

} // namespace

TEST_CASE("a document changed at random is taken exactly when simdjson takes it", "[event][json]") {
  const auto seed = 7U;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string good =
      R"({"a":[1,-2.5e+3,0.5,true,false,null,{}],"long key here":"a longer text, \"quoted\" \u00e9\n","é":{"x":[[],""]}, "z" : 0 })";
  const std::string alphabet = "{}[]\",:\\ \t\n019-+.eEntrufalse\x01\x80\xc3";
  json_index index;
  REQUIRE(dom_takes(good));
  int taken = 0;
  for (int round = 0; round < 50000; ++round) {
    auto text = good;
    for (auto changes = 1 + random() % 2; changes > 0; --changes) {
      const auto at = random() % text.size();
      const char c = alphabet[random() % alphabet.size()];
      switch (random() % 3) {
        case 0: text[at] = c; break;
        case 1: text.insert(at, 1, c); break;
        default: text.erase(at, 1); break;
      }
    }
    CAPTURE(text);
    const bool ours = index.parse(text) == json_fault::none;
    REQUIRE(ours == dom_takes(text));
    taken += ours ? 1 : 0;
  }
  CHECK(taken > 1000);
}

TEST_CASE("strings are unescaped and numbers keep their digits", "[event][json]") {
  CHECK(text_at(R"({"a":"\"\\\/\b\f\n\r\t"})", "a") == "\"\\/\b\f\n\r\t");
  CHECK(text_at(R"({"a":"x\u00e9\u20ac\ud83d\ude00y"})", "a") == "x\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80y");
  CHECK(text_at(R"({"a":"\ud83d\u0000"})", "a") == "\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(text_at(R"({"\u0061":1.10e2})", "a") == "1.10e2");
  CHECK(text_at(R"({"a":1,"a":2})", "a") == "2");
  CHECK(text_at(R"({"a": [1, {"b":2} ] })", "a") == R"([1, {"b":2} ])");
}

TEST_CASE("strings with escapes stay where they are while more are read", "[event][json]") {
  std::string json = "{";
  for (int i = 0; i < 200; ++i)
    json += (i == 0 ? "" : ",") + std::string("\"\\u006b") + std::to_string(i) + "\":\"\\\"" + std::to_string(i) + "\"";
  json_index index;
  REQUIRE(index.parse(json + "}") == json_fault::none);
  for (int i = 0; i < 200; ++i) {
    const auto node = index.at({"k" + std::to_string(i)});
    REQUIRE(node != nullptr);
    REQUIRE(node->text == "\"" + std::to_string(i));
  }
}

TEST_CASE("a pointer names a place as RFC 6901 does", "[event][json]") {
  json_index index;
  REQUIRE(index.parse(R"({"a/b":[0,{"c~d":1}]})") == json_fault::none);
  CHECK(index.pointer(&index.nodes().back()) == "/a~1b/1/c~0d");
  CHECK(index.pointer(index.root()).empty());
  CHECK(index.at({"none", "deeper"}) == nullptr);
}
