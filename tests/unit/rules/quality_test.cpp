// What labels say of decisions, counted by hand.
#include <catch2/catch_test_macros.hpp>

#include "models/rules/quality.hpp"

using namespace pulse;
using namespace pulse::rules;

namespace {

risk_part hit(const std::string& source, const std::string& name) {
  return {source, name, 0, "", {}, {}};
}

} // namespace

TEST_CASE("precision and recall are of labelled events alone, by outcome, rule and model", "[rules][f:4.5][f:5.14]") {
  quality q;
  q.add(true, "decline", "m1", {hit("rule", "fast"), hit("model", "items")});
  q.add(true, "review", "m1", {hit("rule", "fast"), hit("rule", "fast"), hit("shadow", "try")});
  q.add(true, "approve", "m2", {hit("rule", "limit"), hit("snoozed", "fast")});
  q.add(false, "decline", "m2", {hit("rule", "fast")});
  q.add(false, "approve", "m1", {hit("shadow", "try")});
  CHECK(q.all().fraud == 3);
  CHECK(q.stopped().precision() == 2.0 / 3);
  CHECK(q.recall(q.stopped()) == 2.0 / 3);
  REQUIRE(q.rules().size() == 2);
  const auto& fast = q.rules().at({"rule", "fast"});
  CHECK(fast.fraud == 2);
  CHECK(fast.legitimate == 1);
  CHECK(q.rules().at({"shadow", "try"}).precision() == 0.5);
  CHECK(q.models().at("m1").stopped.fraud == 2);
  CHECK(q.models().at("m2").all.fraud == 1);
  CHECK(q.models().at("m2").stopped.precision() == 0.0);
}

TEST_CASE("without labels nothing is claimed", "[rules][f:5.14]") {
  const quality q;
  CHECK_FALSE(q.stopped().precision());
  CHECK_FALSE(q.recall(q.stopped()));
}
