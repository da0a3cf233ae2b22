// Documents of rules and lists: every problem at once, one id for one content, and what a broken rule does to others.
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <fstream>
#include <iterator>

#include "models/rules/lists.hpp"
#include "models/rules/rule_set.hpp"
#include "models/rules/warnings.hpp"

using namespace pulse;
using namespace pulse::rules;

namespace {

std::vector<std::string> problems(std::string_view document) {
  std::vector<std::string> out;
  for (const auto& p : check_rules(document))
    out.push_back(p.code + " " + p.pointer);
  return out;
}

std::vector<std::string> list_problems(std::string_view document) {
  std::vector<std::string> out;
  for (const auto& p : check_lists(document))
    out.push_back(p.code + " " + p.pointer);
  return out;
}

using list = std::vector<std::string>;

} // namespace

TEST_CASE("every problem of a document of rules is told at once with its place", "[rules][f:4.2][f:4.3]") {
  CHECK(problems(R"({"rules":[{"name":"a","when":"amount > 5","points":40.5,"outcome":"review","state":"shadow",
    "description":"why","snoozes":[{"entity":"customer","value":"ada","until":"2027-01-01T00:00:00Z"}]}],
    "thresholds":{"review":60,"decline":80.5},"description":"all"})")
            .empty());
  CHECK(
      problems(
          R"({"rules":[{"name":"a b","when":"amout > 5 and cuntry == 1","points":"x","outcome":"maybe","state":"on","why":1},5,
    {"when":""},{"name":"a","when":"bot","points":0.1},{"name":"a","when":"bot","points":101,"snoozes":[{"entity":"x"}]}]})") ==
      list{"unknown_key /rules/0/why", "bad_name /rules/0/name", "unknown_word /rules/0/state",
           "unknown_word /rules/0/outcome", "wrong_type /rules/0/points", "unknown_name /rules/0/when",
           "unknown_name /rules/0/when", "wrong_type /rules/1", "missing /rules/2/name", "wrong_type /rules/2/when",
           "invalid /rules/3/points", "invalid /rules/4/points", "invalid /rules/4/snoozes/0", "twice /rules/4/name"});
  CHECK(problems(R"({"rules":[],"thresholds":{"review":90,"decline":80}})") == list{"invalid /thresholds"});
  CHECK(problems(R"({"rules":[],"thresholds":{"review":0,"x":1}})") ==
        list{"invalid /thresholds/review", "invalid /thresholds/x"});
  CHECK(problems(R"({"rules":{},"x/y":1})") == list{"unknown_key /x~1y", "wrong_type /rules"});
  CHECK(problems("{}") == list{"missing /rules"});
  CHECK(problems("{").at(0).starts_with("not_json"));
  CHECK(problems(R"({"rules":[],"rules":[{"name":"a","when":"true","when":"false"}]})").size() == 2);
  CHECK(problems(R"({"rules":[],"rules":[]})").at(0).starts_with("duplicate_key /rules"));
  CHECK(problems("[]").at(0).starts_with("wrong_type"));
  CHECK(problems(std::string(100'000, '[')).size() == 1);
  std::string many = R"({"name":"r0","when":"bot"})";
  for (int i = 1; i <= 200; ++i)
    many += fmt::format(R"(,{{"name":"r{}","when":"bot"}})", i);
  CHECK(problems("{\"rules\":[" + many + "]}") == list{"wrong_type /rules"});
}

TEST_CASE("the same rules have the same id however they are written", "[rules][f:4.3]") {
  const auto id = [](std::string_view text) {
    return (*rule_set::compile(text))->id();
  };
  const auto a = id(R"({"rules":[{"name":"a","when":"bot","points":5}]})");
  CHECK(a == id(R"({ "rules" : [ {"points":5, "when":"bot","name":"a"} ] })"));
  CHECK(a != id(R"({"rules":[{"name":"a","when":"bot","points":6}]})"));
  CHECK(a.size() == 64);
  CHECK(id((*rule_set::compile(R"({"rules":[]})"))->canonical()) == id(R"({"rules":[]})"));
}

TEST_CASE("a stored rule that does not compile any more is set aside, and the others run", "[rules][f:4.2]") {
  const auto set =
      rule_set::load(R"({"rules":[{"name":"gone","when":"no_such_feature > 5"},{"name":"good","when":"bot"}]})");
  REQUIRE(set.ok());
  CHECK((*set)->rules()[0].broken.find("no_such_feature") != std::string::npos);
  CHECK((*set)->rules()[0].program.code.empty());
  CHECK((*set)->rules()[1].broken.empty());
  CHECK_FALSE((*set)->rules()[1].program.code.empty());
  CHECK_FALSE(rule_set::load("nothing").ok());
}

TEST_CASE("lists are one version, in one form", "[rules][f:4.2][f:4.3]") {
  const auto lists = compiled_lists::compile(R"({"lists":{"vip":["bo","ada","bo"],"empty":[]}})");
  REQUIRE(lists.ok());
  CHECK((*lists)->canonical() == R"({"lists":{"empty":[],"vip":["ada","bo"]}})");
  CHECK((*lists)->id() == (*compiled_lists::compile(R"({"lists":{"empty":[],"vip":["ada","bo"]}})"))->id());
  CHECK((*lists)->contains("vip", "ada"));
  CHECK_FALSE((*lists)->contains("vip", "Ada"));
  CHECK((*lists)->has("empty"));
  CHECK_FALSE((*lists)->has("none"));
  CHECK(list_problems(R"({"lists":{"a b":[],"c":{},"d":["x",5,""]},"e":1})") ==
        list{"unknown_key /e", "bad_name /lists/a b", "wrong_type /lists/c", "wrong_type /lists/d/1",
             "wrong_type /lists/d/2"});
  CHECK(list_problems(R"({"lists":[]})") == list{"wrong_type /lists"});
  CHECK(list_problems("{\"lists\":{\"a\":[\"" + std::string(300, 'x') + "\"]}}") == list{"too_large /lists/a/0"});
}

TEST_CASE("the examples in config can be published as they stand", "[rules][f:4.2]") {
  const auto text = [](const std::string& name) {
    std::ifstream file(std::string(PULSE_SOURCE_DIR) + "/config/" + name, std::ios::binary);
    REQUIRE(file.good());
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CHECK(problems(text("rules_example.json")).empty());
  CHECK(list_problems(text("lists_example.json")).empty());
}

TEST_CASE("what is most likely a slip is warned of with its place", "[rules][f:4.3]") {
  const auto warned = [](std::string_view document, const list_source* lists) {
    const auto set = rule_set::compile(document);
    REQUIRE(set.ok());
    list out;
    for (const auto& w : warnings_of(**set, lists))
      out.push_back(w.code + " " + w.pointer);
    return out;
  };
  constexpr auto both = R"j({"rules":[{"name":"a","when":"bot"},
    {"name":"b","when":"card in list(\"x\") or device not in list(\"x\") or city in list(\"y\")"}]})j";
  CHECK(warned(both, nullptr) == list{"unknown_list /rules/1/when", "unknown_list /rules/1/when"});
  const auto lists = compiled_lists::compile(R"({"lists":{"x":[]}})");
  REQUIRE(lists.ok());
  CHECK(warned(both, lists->get()) == list{"unknown_list /rules/1/when"});
  const auto one = [&](const std::string& when, const char* state = "live") {
    return warned(fmt::format(R"({{"rules":[{{"name":"a","when":"{}","state":"{}"}}]}})", when, state), nullptr);
  };
  for (const auto* slip : {"hour == 24", "hour > 23", "hour < 0", "24 <= hour", "hour == 1.5", "weekday == 0",
                           "weekday > 7", "hour in (24, 25)", "not (bot or weekday < 1)"})
    CHECK(one(slip) == list{"never_true /rules/0/when"});
  for (const auto* good : {"hour == 23", "hour >= 23", "hour != 24", "weekday == 7", "weekday <= 1", "hour in (23, 24)",
                           "hour not in (24, 25)", "hour + 1 == 24", "amount / items > 0", "0 / items == 0"})
    CHECK(one(good).empty());
  CHECK(one("amount / 0 > 1") == list{"division_by_zero /rules/0/when"});
  CHECK(one("amount / 0 > 1 and hour == 24", "draft") == list{"division_by_zero /rules/0/when"});
}
