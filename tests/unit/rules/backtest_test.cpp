// Backtests: the live code's decisions, counted; Wilson's interval against published values.
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "models/detection/random.hpp"
#include "models/rules/backtest.hpp"

using namespace pulse;
using namespace pulse::rules;

namespace {

event order(std::int64_t k, std::string card, std::int64_t minor) {
  event e;
  e.type = "track";
  e.name = "Order Completed";
  e.message_id = "m" + std::to_string(k);
  e.customer = "c" + std::to_string(k % 7);
  e.occurred_at = e.received_at = time_ms{1'700'000'000'000 + k * minute_ms};
  e.amount = money{minor, *parse_currency("EUR")};
  e.properties = "{\"card_id\":\"" + card + "\"}";
  return e;
}

backtest made(std::string_view document) {
  const auto set = rule_set::compile(document);
  INFO((set ? "" : set.err().detail));
  REQUIRE(set.ok());
  backtest::options o;
  o.rules = *set;
  auto out = backtest::make(std::move(o));
  REQUIRE(out.ok());
  return std::move(*out);
}

} // namespace

TEST_CASE("Wilson's interval has its published values", "[rules]") {
  // R. G. Newcombe 1998, Statistics in Medicine 17, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
  const std::tuple<int, int, double, double> published[] = {
      {81, 263, .2553, .3662}, {15, 148, .0624, .1605}, {0, 20, .0000, .1611}, {1, 29, .0061, .1718}};
  for (const auto& [hits, n, low, high] : published) {
    CHECK(wilson(hits, n).low == Catch::Approx(low).margin(5e-5));
    CHECK(wilson(hits, n).high == Catch::Approx(high).margin(5e-5));
  }
  CHECK(wilson(0, 0).low == 0);
  CHECK(wilson(0, 0).high == 1);
}

TEST_CASE("a backtest counts outcomes, money, and each rule's hits and precision", "[rules][f:4.5][f:4.9]") {
  auto test = made(R"({"rules":[{"name":"fast","when":"velocity(card, 1h) > 3","points":10,"outcome":"decline"},
    {"name":"big","when":"amount > 100","points":10,"outcome":"review"},
    {"name":"try","when":"amount > 10","state":"shadow","points":1,"outcome":"review"}]})");
  // Ten quick orders with one card are fraud; of two large ones one is; the rest is small.
  for (std::int64_t k = 0; k < 10; ++k)
    test.add(order(k, "bad", 500), true);
  test.add(order(100, "a", 20'000), true);
  test.add(order(101, "b", 30'000), false);
  for (std::int64_t k = 200; k < 220; ++k)
    test.add(order(k, "k" + std::to_string(k), 2'000), false);
  test.add(order(300, "z", 40'000), std::nullopt);
  test.add(order(300, "z", 40'000), true); // sent twice: counted once
  const auto& r = test.report();
  CHECK(r.events.events == 33);
  CHECK(r.duplicates == 1);
  CHECK(r.labelled() == 32);
  CHECK(r.fraud[0].events == 3);
  CHECK(r.fraud[1].events == 1);
  CHECK(r.fraud[2].events == 7);
  CHECK(r.fraud[2].minor.at("EUR") == 3'500);
  CHECK(r.legitimate[0].events == 20);
  CHECK(r.legitimate[1].minor.at("EUR") == 30'000);
  CHECK(r.unlabelled[1].events == 1);
  CHECK(*r.recall() == Catch::Approx(8.0 / 11));
  CHECK(*r.precision() == Catch::Approx(8.0 / 9));
  CHECK(*r.false_alarm_rate() == Catch::Approx(1.0 / 21));
  REQUIRE(r.rules.size() == 3);
  CHECK(r.rules[0].hits.events == 7);
  CHECK(*r.rules[0].precision() == 1);
  CHECK(r.rules[0].precision_interval().low == wilson(7, 7).low);
  CHECK(r.rules[0].only_this == 7);
  CHECK(r.rules[1].fraud.events == 1);
  CHECK(r.rules[1].legitimate.events == 1);
  CHECK(r.rules[1].unlabelled == 1);
  CHECK(*r.rules[1].precision() == 0.5);
  CHECK(r.rules[2].hits.events == 23);
  CHECK(r.rules[2].by_outcome[0] == 20);
  CHECK(r.shadow_changes[0][1] == 20);
}

TEST_CASE("history before the backtest fills windows and is not counted", "[rules][f:4.9]") {
  auto test = made(R"({"rules":[{"name":"fast","when":"velocity(card, 1h) > 3","outcome":"decline"}]})");
  for (std::int64_t k = 0; k < 5; ++k)
    test.warm_up(order(k, "a", 100));
  test.add(order(6, "a", 100), true);
  CHECK(test.report().events.events == 1);
  CHECK(test.report().fraud[2].events == 1);
}

TEST_CASE("a backtest of the rules in force decides as the slot did", "[rules][f:4.9]") {
  const auto set = rule_set::compile(
      R"({"rules":[{"name":"fast","when":"velocity(customer, 1h) > 4 and amount > 20","points":33.5}]})");
  REQUIRE(set.ok());
  engine live({});
  live.set_rules(*set);
  scoring::tenant_scorer scorer;
  auto test = made((*set)->canonical());
  detection::random_stream random(11, 0);
  std::int64_t stopped = 0;
  for (std::int64_t k = 0; k < 500; ++k) {
    auto e = order(k, "k", random.below(5'000));
    test.add(e, false);
    scorer.seen_before(e, log_offset{k});
    const auto row = scorer.score(e, log_offset{k});
    live.apply(e, row, {}, log_offset{k});
    stopped += e.risk.score > 30 ? 1 : 0;
  }
  CHECK(stopped > 10);
  CHECK(test.report().rules[0].hits.events == stopped);
}

TEST_CASE("an event that was scored keeps its model's part, and windows see what came before", "[rules][f:4.9]") {
  auto test = made(R"({"rules":[{"name":"many","when":"velocity(card, 1h) > 2","points":10},
    {"name":"hot","when":"model_score >= 80","outcome":"decline"}]})");
  test.warm_up(order(0, "a", 500));
  test.warm_up(order(1, "a", 500));
  auto e = order(2, "a", 500);
  e.risk.score = 85;
  e.risk.parts = {{"model", "amount_vs_tenant", 80, "", {}, {}}, {"rule", "of old", 5, "", {}, {}}};
  test.add_scored(e, true);
  test.add_scored(e, true);
  const auto& r = test.report();
  CHECK(r.events.events == 1);
  CHECK(r.duplicates == 1);
  CHECK(r.rules[0].hits.events == 1);
  CHECK(r.rules[1].hits.events == 1);
  CHECK(r.fraud[2].events == 1);
}
