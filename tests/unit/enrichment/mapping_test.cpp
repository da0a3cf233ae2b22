// Mappings: every problem at once, the same id for the same rules, and events changed as the rules say.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <map>
#include <string>

#include "models/enrichment/json_edit.hpp"
#include "models/enrichment/mapping.hpp"
#include "models/enrichment/mapping_preview.hpp"

using namespace pulse;

namespace {

event track(std::string properties, std::string context = "{}") {
  event e;
  e.type = "track";
  e.name = "Order Completed";
  e.properties = std::move(properties);
  e.context = std::move(context);
  return e;
}

event mapped(std::string rules, event e) {
  const auto mapping = compiled_mapping::compile("{\"rules\":[" + rules + "]}");
  INFO(rules << (mapping ? "" : mapping.err().pointer + mapping.err().detail));
  REQUIRE(mapping.ok());
  (*mapping)->apply(e, *parse_currency("EUR"));
  return e;
}

/// `code pointer` of each problem of one rule.
std::vector<std::string> problems(std::string rule) {
  std::vector<std::string> out;
  for (const auto& p : check_mapping("{\"rules\":[" + rule + "]}"))
    out.push_back(p.code + " " + p.pointer);
  return out;
}

using list = std::vector<std::string>;

} // namespace

TEST_CASE("rename, cast, default, drop and set change an event", "[mapping][f:3.1]") {
  CHECK(mapped(R"({"op":"rename","from":"/properties/a","to":"/properties/b/c"})", track(R"({"a":1.10,"x":[1, 2]})"))
            .properties == R"({"x":[1, 2],"b":{"c":1.10}})");
  CHECK(mapped(R"({"op":"cast","path":"/properties/a","type":"number"})", track(R"({"a":" x"})")).notes[0].code ==
        "cast_failed");
  CHECK(
      mapped(R"({"op":"cast","path":"/properties/a","type":"number"})", track(R"({"a":"0.12345678901"})")).properties ==
      R"({"a":0.12345678901})");
  CHECK(mapped(R"({"op":"cast","path":"/properties/a","type":"number"})", track(R"({"a":"+.5"})")).properties ==
        R"({"a":0.5})");
  CHECK(mapped(R"({"op":"cast","path":"/properties/a","type":"integer"})", track(R"({"a":2.5})")).properties ==
        R"({"a":3})");
  CHECK(mapped(R"({"op":"cast","path":"/properties/a","type":"string"})", track(R"({"a":2.50})")).properties ==
        R"({"a":"2.50"})");
  CHECK(mapped(R"({"op":"cast","path":"/properties/a","type":"boolean"})", track(R"({"a":"Yes"})")).properties ==
        R"({"a":true})");
  CHECK(mapped(R"({"op":"default","path":"/properties/a","value":5})", track(R"({"a":null})")).properties ==
        R"({"a":5})");
  CHECK(mapped(R"({"op":"default","path":"/properties/a","value":5})", track(R"({"a":0})")).properties == R"({"a":0})");
  CHECK(mapped(R"({"op":"drop","path":"/context/ip"})", track("{}", R"({"ip":"1.2.3.4","a":1})")).context ==
        R"({"a":1})");
  CHECK(mapped(R"({"op":"drop","path":"/properties/list/0"})", track(R"({"list":[1,2]})")).properties ==
        R"({"list":[2]})");
  CHECK(mapped(R"({"op":"set","to":"/properties/a","value":{"b":"c"}})", track("{}")).properties ==
        R"({"a":{"b":"c"}})");
}

TEST_CASE("standard fields are targets, and what is read out of the documents is read anew", "[mapping][f:3.1]") {
  auto e = mapped(R"({"op":"set","to":"/store","value":"web"},{"op":"set","to":"/campaign","from":"/properties/utm"},
    {"op":"rename","from":"/properties/orderNo","to":"/order_id"},{"op":"rename","from":"/properties/sum","to":"/amount"},
    {"op":"default","path":"/currency","value":"GBP"},{"op":"set","to":"/customer","from":"/properties/who"})",
                  track(R"({"utm":"spring \"24","orderNo":"o7","sum":12.345,"who":42})"));
  CHECK(e.store == "web");
  CHECK(e.campaign == "spring \"24");
  CHECK(e.order_id == "o7");
  CHECK(e.amount->amount() + e.amount->unit.str() == "12.35GBP");
  CHECK(e.customer == "42");
  CHECK(e.origins[0] == provenance{"store", "mapping:0"});
  CHECK(e.origins[1] == provenance{"campaign", "mapping:1"});
  e = mapped(R"({"op":"default","path":"/amount","value":1})", track(R"({"total":5})"));
  CHECK(e.properties == R"({"total":5})");
}

TEST_CASE("a rule may be for one event name alone, which another rule may change", "[mapping][f:3.1]") {
  auto e = track(R"({"products":[{"id":"p1","price":2}],"order_id":"1"})");
  e.name = "purchase";
  e = mapped(
      R"({"op":"set","to":"/name","value":"Order Completed","event":"purchase"},{"op":"set","to":"/store","value":"a","event":"purchase"},
    {"op":"set","to":"/store","value":"b","event":"Order Completed"})",
      e);
  CHECK(e.name == "Order Completed");
  CHECK(e.store == "a");
  CHECK(e.products.size() == 1);
}

TEST_CASE("a rule that can't be carried out leaves the event and a note", "[mapping][f:3.1]") {
  const auto e =
      mapped(R"({"op":"set","to":"/properties/a/b","value":1},{"op":"set","to":"/store","from":"/properties/o"})",
             track(R"({"a":5,"o":{}})"));
  CHECK(e.notes.size() == 2);
  CHECK(e.notes[0].code == "mapping_failed");
  CHECK(e.properties == R"({"a":5,"o":{}})");
  CHECK(e.store.empty());
}

TEST_CASE("every problem of a mapping is told at once with its place", "[mapping][f:3.1]") {
  CHECK(
      problems(
          R"({"op":"rename","from":"properties/a","to":"/nowhere"},{"op":"cast","path":"/store","type":"money"},5)") ==
      list{"bad_path /rules/0/from", "bad_path /rules/0/to", "bad_path /rules/1/path", "unknown_type /rules/1/type",
           "wrong_type /rules/2"});
  CHECK(problems(R"({"op":"explode"})") == list{"unknown_op /rules/0/op"});
  CHECK(problems("{}") == list{"missing /rules/0/op"});
  CHECK(problems(R"({"op":"set","to":"/store"})") == list{"invalid /rules/0"});
  CHECK(problems(R"({"op":"set","to":"/store","value":{}})") == list{"wrong_type /rules/0/value"});
  CHECK(problems(R"({"op":"drop","path":"/properties/a","why":1})") == list{"unknown_key /rules/0/why"});
  CHECK(problems(R"({"op":"drop","path":"/properties//a"})") == list{"bad_path /rules/0/path"});
  CHECK(check_mapping("{").at(0).code == "not_json");
  const auto twice = check_mapping(R"({"rules":[],"rules":[]})");
  REQUIRE(twice.size() == 1);
  CHECK(twice[0].code == "duplicate_key");
  CHECK(twice[0].pointer == "/rules");
  CHECK(check_mapping("[]").at(0).code == "wrong_type");
  CHECK(check_mapping("{}").at(0).pointer == "/rules");
  CHECK(check_mapping(R"({"rules":{},"x":1})").size() == 2);
  CHECK_FALSE(compiled_mapping::compile(std::string(100'000, '[')).ok());
  std::string many = R"({"op":"drop","path":"/properties/a"})";
  for (int i = 0; i < 200; ++i)
    many += R"(,{"op":"drop","path":"/properties/a"})";
  CHECK(problems(many) == list{"too_many /rules"});
}

TEST_CASE("the same rules have the same id however they are written", "[mapping][f:3.1]") {
  const auto id = [](std::string_view text) {
    return (*compiled_mapping::compile(text))->id();
  };
  const auto a = id(R"({"rules":[{"op":"drop","path":"/properties/a"}]})");
  CHECK(a == id(R"( { "rules" : [ {"path":"/properties/a", "op":"drop"} ] } )"));
  CHECK(a != id(R"({"rules":[{"op":"drop","path":"/properties/b"}]})"));
  CHECK(a.size() == 64);
  CHECK(id((*compiled_mapping::compile(R"({"rules":[]})"))->canonical()) == id(R"({"rules":[]})"));
}

TEST_CASE("an edited document keeps what it does not touch, byte for byte", "[mapping]") {
  json_edit edit(R"({"a": 1.00 , "b":{"c" : [ {"d":1e5} ]}})");
  CHECK(edit.get({"b", "c", "0", "d"}) == "1e5");
  CHECK(edit.get({"b", "c", "1"}).empty());
  CHECK(edit.set({"b", "c", "0", "e"}, "true"));
  CHECK_FALSE(edit.set({"a", "x"}, "1"));
  CHECK_FALSE(edit.drop({"z"}));
  CHECK(edit.str() == R"({"a":1.00,"b":{"c":[{"d":1e5,"e":true}]}})");
}

TEST_CASE("a preview shows each change with its place, and changes nothing", "[mapping][f:3.1]") {
  event e;
  e.type = "track";
  e.name = "Order Completed";
  e.properties = R"({"sum":"12.50","currency":"EUR"})";
  const auto before = e.properties;
  const auto mapping =
      compiled_mapping::compile(R"({"rules":[{"op":"rename","from":"/properties/sum","to":"/properties/revenue"}]})");
  REQUIRE(mapping.ok());
  const auto seen = preview_mapping(**mapping, e, *parse_currency("EUR"));
  CHECK(e.properties == before);
  std::map<std::string, std::string> changes;
  for (const auto& c : seen.changes)
    changes[c.op + " " + c.pointer] = c.before + " -> " + c.after;
  CHECK(changes.at("add /properties/revenue") == R"( -> "12.50")");
  CHECK(changes.at("remove /properties/sum") == R"("12.50" -> )");
  CHECK(changes.at("replace /amount") == R"(null -> {"amount":"12.50","currency":"EUR"})");
}
