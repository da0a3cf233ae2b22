// From the model and the rules to one score: parts add up, shadow changes nothing, snoozes end, old decisions are made
// again bit for bit, and the smallest change that flips the outcome does flip it.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "models/rules/counterfactual.hpp"
#include "models/rules/engine.hpp"

using namespace pulse;
using namespace pulse::rules;

namespace {

event order(std::int64_t minor) {
  event e;
  e.type = "track";
  e.name = "Order Completed";
  e.customer = "ada";
  e.ip = "192.0.2.1";
  e.occurred_at = e.received_at = *parse_time("2026-11-24T13:30:00Z");
  e.amount = money{minor, *parse_currency("EUR")};
  e.properties = R"({"card_id":"k1","tier":"gold"})";
  e.risk.score = 40.125;
  e.risk.level = "low";
  e.risk.outcome = "approve";
  e.risk.parts = {{"model", "amount_vs_customer", 30.125, "", {}, {}}, {"model", "other", 10, "", {}, {}}};
  return e;
}

struct decided {
  event e;
  std::optional<rules::decision> d;
};

decided decide_with(std::string_view document, event e, std::string_view lists = "", features::row row = {}) {
  auto set = rule_set::compile(document);
  INFO((set ? "" : set.err().pointer + set.err().detail));
  REQUIRE(set.ok());
  engine work({});
  work.set_rules(*set);
  if (!lists.empty())
    work.set_lists(*compiled_lists::compile(lists));
  auto d = work.apply(e, row, {}, log_offset{0});
  return {std::move(e), std::move(d)};
}

double sum_of(const pulse::risk& r) {
  double out = 0;
  for (const auto& p : r.parts)
    out += p.points;
  return out;
}

const risk_part* part(const pulse::risk& r, std::string_view source, std::string_view name) {
  const auto found = std::find_if(r.parts.begin(), r.parts.end(),
                                  [&](const risk_part& p) { return p.source == source && p.name == name; });
  return found == r.parts.end() ? nullptr : &*found;
}

} // namespace

TEST_CASE("points of the model and of rules add up to the score exactly, and rules decide the outcome",
          "[rules][f:4.1][f:4.7]") {
  const auto one = decide_with(R"({"rules":[{"name":"big","when":"amount > 500","points":20.25},
    {"name":"trusted","when":"properties.tier == \"gold\"","points":-5},{"name":"no","when":"amount > 5000","points":90}]})",
                               order(81'250));
  CHECK(one.e.risk.score == 55.375);
  CHECK(sum_of(one.e.risk) == one.e.risk.score);
  CHECK(one.e.risk.level == "medium");
  CHECK(one.e.risk.outcome == "approve");
  REQUIRE(part(one.e.risk, "rule", "big"));
  CHECK(part(one.e.risk, "rule", "big")->points == 20.25);
  CHECK(part(one.e.risk, "rule", "big")->detail == "amount 812.5 EUR");
  CHECK(part(one.e.risk, "rule", "no") == nullptr);
  const auto over = decide_with(R"({"rules":[{"name":"a","when":"amount > 5","points":100}]})", order(81'250));
  CHECK(over.e.risk.score == 100);
  CHECK(over.e.risk.outcome == "decline");
  CHECK(part(over.e.risk, "rule", "limit")->points == -40.125);
  CHECK(sum_of(over.e.risk) == 100);
  const auto under = decide_with(R"({"rules":[{"name":"a","when":"amount > 5","points":-100}]})", order(81'250));
  CHECK(under.e.risk.score == 0);
  CHECK(sum_of(under.e.risk) == 0);
}

TEST_CASE("the severest outcome of a rule holds; approve only undoes what the score says", "[rules][f:4.1]") {
  const auto outcome = [](std::string_view rules) {
    return decide_with("{\"rules\":[" + std::string(rules) + "]}", order(81'250)).e.risk.outcome;
  };
  const std::string high = R"({"name":"high","when":"amount > 5","points":60})";
  const std::string ok = R"({"name":"ok","when":"amount > 5","outcome":"approve"})";
  const std::string stop = R"({"name":"stop","when":"amount > 5","outcome":"decline"})";
  const std::string look = R"({"name":"look","when":"amount > 5","outcome":"review"})";
  CHECK(outcome(high) == "decline");
  CHECK(outcome(high + "," + ok) == "approve");
  CHECK(outcome(ok + "," + look) == "review");
  CHECK(outcome(ok + "," + look + "," + stop) == "decline");
  CHECK(outcome(look) == "review");
  CHECK(decide_with(R"({"rules":[],"thresholds":{"review":40}})", order(100)).e.risk.outcome == "review");
}

TEST_CASE("a shadow rule keeps its reasons and changes nothing", "[rules][f:4.4][f:4.10]") {
  const std::string live = R"({"name":"live","when":"amount > 5","points":10})";
  const auto without = decide_with("{\"rules\":[" + live + "]}", order(81'250));
  const auto with = decide_with(
      "{\"rules\":[" + live + R"(,{"name":"try","state":"shadow","when":"amount > 500 and velocity(card, 1h) == 1",
    "points":60,"outcome":"decline"},{"name":"draft","state":"draft","when":"amount > 5","points":60}]})",
      order(81'250));
  CHECK(with.e.risk.score == without.e.risk.score);
  CHECK(with.e.risk.outcome == without.e.risk.outcome);
  CHECK(with.e.risk.level == without.e.risk.level);
  REQUIRE(part(with.e.risk, "shadow", "try"));
  CHECK(part(with.e.risk, "shadow", "try")->points == 0);
  CHECK(part(with.e.risk, "shadow", "try")->value == 60);
  CHECK(part(with.e.risk, "shadow", "try")->detail ==
        "in shadow, would add 60 and decline: amount 812.5 EUR, velocity(card, 1h) 1");
  CHECK(part(with.e.risk, "shadow", "draft") == nullptr);
  CHECK(with.d->shadow_outcome == verdict::decline);
  CHECK(with.d->shadow_score == 100);
  CHECK(with.d->outcome == verdict::approve);
}

TEST_CASE("a snooze holds for its key until its end", "[rules][f:4.5]") {
  const std::string rule = R"({"rules":[{"name":"big","when":"amount > 5","points":50,"outcome":"review",
    "snoozes":[{"entity":"customer","value":"ada","until":"2026-11-24T14:00:00Z"}]}]})";
  auto e = order(81'250);
  const auto held = decide_with(rule, e);
  CHECK(held.e.risk.score == 40.125);
  CHECK(held.e.risk.outcome == "approve");
  CHECK(part(held.e.risk, "snoozed", "big")->points == 0);
  e.received_at = *parse_time("2026-11-24T14:00:00Z");
  CHECK(decide_with(rule, e).e.risk.outcome == "review");
  e = order(81'250);
  e.customer = "bob";
  CHECK(decide_with(rule, e).e.risk.outcome == "review");
}

TEST_CASE("a list that is not published makes its comparison false and says so, and other rules run",
          "[rules][f:4.2]") {
  const std::string rules = R"j({"rules":[{"name":"block","when":"card in list(\"blocked_cards\")","outcome":"decline"},
    {"name":"big","when":"amount > 5","points":5}]})j";
  const auto without = decide_with(rules, order(1'000));
  CHECK(without.e.risk.outcome == "approve");
  CHECK(without.e.risk.score == 45.125);
  CHECK(without.d->results[0].unknown_lists == std::vector<std::string>{"blocked_cards"});
  CHECK(decide_with(rules, order(1'000), R"({"lists":{"blocked_cards":["k1"]}})").e.risk.outcome == "decline");
  CHECK(decide_with(rules, order(1'000), R"({"lists":{"blocked_cards":["k2"]}})").e.risk.outcome == "approve");
}

TEST_CASE("an old decision is made again bit for bit from what was stored with it", "[rules][f:4.7]") {
  const auto compiled = rule_set::compile(R"({"rules":[
    {"name":"a","when":"velocity(card, 1h) > 2 and sum(customer, 7d) > 10","points":12.5,"outcome":"review"},
    {"name":"b","when":"model_score > 40 and amount_vs_customer > 2","points":3},
    {"name":"c","when":"ip_country != country or hour == 13","points":1.125},
    {"name":"d","when":"distinct(card, ip, 30d) >= 1 and velocity(device, 1h) > 0","points":7,"state":"shadow"}]})");
  REQUIRE(compiled.ok());
  const auto& set = **compiled;
  engine work({});
  work.set_rules(*compiled);
  features::row row{};
  row[0] = 2.5F;
  for (std::int64_t k = 0; k < 5; ++k) {
    auto e = order(1'000 + k);
    work.apply(e, row, {}, log_offset{k});
    CHECK((part(e.risk, "rule", "a") != nullptr) == (k >= 2));
    const auto again = recompute(set, e, row, {}, nullptr, {});
    REQUIRE(again.ok());
    CHECK(again->risk.score == e.risk.score);
    CHECK(again->risk.outcome == e.risk.outcome);
    CHECK(again->risk.level == e.risk.level);
    CHECK(again->risk.parts == e.risk.parts);
  }
  auto e = order(1'000);
  work.apply(e, row, {}, log_offset{9});
  const auto other = rule_set::compile(R"({"rules":[]})");
  CHECK(recompute(**other, e, row, {}, nullptr, {}).err().code == ec::conflict);
  for (auto& p : e.risk.parts)
    if (p.source == "rules")
      p.detail = "[1]";
  CHECK(recompute(set, e, row, {}, nullptr, {}).err().code == ec::corrupt);
}

namespace {

flip flip_of(std::string_view document, event e, model_call model = {}, features::row row = {},
             std::vector<double> typical = {}, std::string_view lists = "") {
  const auto set = rule_set::compile(document);
  INFO((set ? "" : set.err().detail));
  REQUIRE(set.ok());
  const auto compiled = lists.empty() ? nullptr : *compiled_lists::compile(lists);
  const subject s(e, {});
  const auto said = model ? model(row) : e.risk;
  window_store windows;
  windows.keep_only((*set)->inputs());
  const auto values = read_inputs(**set, s, row, said, [&](const input& i) { return windows.ask(i, s); });
  return find_flip({**set, s, values, row, typical, model, said, compiled.get(), {}});
}

} // namespace

TEST_CASE("the smallest change that flips the outcome is found, and flips it", "[rules][f:4.11]") {
  const std::string two =
      R"({"rules":[{"name":"a","when":"amount > 500 and properties.tier == \"gold\"","outcome":"review"},
    {"name":"b","when":"amount > 800 and velocity(card, 1h) > 0","outcome":"review"}]})";
  // Two rules hold it: one change of the amount is enough, down to the first rule's limit.
  const auto f = flip_of(two, order(81'250));
  CHECK(f.from == verdict::review);
  CHECK(f.to == verdict::approve);
  REQUIRE(f.changes.size() == 1);
  CHECK(f.changes[0].name == "amount");
  CHECK(f.changes[0].from == "812.5 EUR");
  CHECK(f.changes[0].to == "500 EUR");
  CHECK(decide_with(two, order(50'000)).e.risk.outcome == "approve");
  CHECK(decide_with(two, order(50'001)).e.risk.outcome == "review");
  // Upwards too: the smallest amount that a rule takes offence at.
  const auto up = flip_of(two, order(49'000));
  CHECK(up.from == verdict::approve);
  REQUIRE(up.changes.size() == 1);
  CHECK(up.changes[0].to == "500.01 EUR");
}

TEST_CASE("where one change is not enough, two are tried", "[rules][f:4.11]") {
  const auto f = flip_of(R"j({"rules":[{"name":"a","when":"amount > 500","outcome":"decline"},
    {"name":"b","when":"card in list(blocked)","outcome":"decline"}]})j",
                         order(81'250), {}, {}, {}, R"({"lists":{"blocked":["k1"]}})");
  CHECK(f.to == verdict::approve);
  REQUIRE(f.changes.size() == 2);
  CHECK(f.changes[0].name == "amount");
  CHECK(f.changes[1].name == "card");
  CHECK(f.changes[1].to == "any other");
  CHECK(flip_of(R"({"rules":[{"name":"a","when":"true","outcome":"decline"}]})", order(100)).changes.empty());
}

TEST_CASE("features are moved only as far as the outcome needs", "[rules][f:4.11]") {
  // A model that looks at its first feature alone.
  const model_call model = [](const features::row& row) {
    pulse::risk out;
    out.score = std::clamp(10.0 * static_cast<double>(row[0]), 0.0, 100.0);
    out.parts = {{"model", "amount_vs_customer", out.score, "", {}, {}}};
    return out;
  };
  features::row row{};
  row[0] = 9.0F;
  const auto f = flip_of(R"({"rules":[]})", order(100), model, row, std::vector<double>(features::count, 1.0));
  CHECK(f.from == verdict::review);
  REQUIRE(f.changes.size() == 1);
  CHECK(f.changes[0].name == "amount_vs_customer");
  // Review begins at 75, decline at 95: the nearer of the two.
  CHECK(f.to == verdict::decline);
  CHECK(f.changes[0].to == "9.5");
}
