// Control records in a tenant's stages: what is in force after them.
#include <catch2/catch_test_macros.hpp>

#include <cstring>

#include "models/detection/random.hpp"
#include "models/event/event_json.hpp"
#include "models/event/raw_codec.hpp"
#include "models/risk/pooled.hpp"
#include "models/rules/rule_set.hpp"
#include "models/slot/shared_data.hpp"
#include "models/slot/stages.hpp"

using namespace pulse;
using detection::random_stream;

namespace {

slot::artifact mapping(const std::string& store) {
  const auto compiled =
      compiled_mapping::compile(R"({"rules":[{"op":"set","to":"/store","value":")" + store + R"("}]})");
  REQUIRE(compiled.ok());
  return {"mapping", (*compiled)->id(), std::make_shared<const std::string>((*compiled)->canonical())};
}

slot::item control_of(const slot::artifact& a, std::int64_t version, std::int64_t offset) {
  raw_event raw;
  raw.kind = raw_kind::control;
  raw.body = slot::encode_control({uuid{}, a.kind, a.hash, version});
  return {log_offset{offset}, tenant_id{1}, std::make_shared<const std::string>(encode(raw)), true};
}

slot::enrichment_stage fresh(const slot::in_force& settings = {}, std::vector<slot::artifact> artifacts = {}) {
  slot::stage_start start;
  start.tenant = tenant_id{1};
  start.settings = settings;
  start.artifacts = std::move(artifacts);
  return {start, std::make_shared<const slot::shared_data>(enrichment_data{}, nullptr)};
}

slot::item order(int number, std::int64_t offset, bool test) {
  raw_event raw;
  raw.kind = raw_kind::event;
  raw.type = "track";
  raw.test = test;
  raw.timed = true;
  raw.message_id = "m" + std::to_string(number);
  raw.received_at = raw.occurred_at = time_ms{1'700'000'000'000 + number * 60'000};
  raw.id = event_id{uuid{}};
  raw.id.value.bytes[0] = static_cast<std::uint8_t>(number);
  raw.body = R"({"type":"track","event":"Order Completed","userId":"u)" + std::to_string(number % 3) +
             R"(","properties":{"revenue":)" + std::to_string(10 + number) + R"(,"currency":"EUR"}})";
  return {log_offset{offset}, tenant_id{1}, std::make_shared<const std::string>(encode(raw)), false};
}

/// Bit by bit: what is not known equals itself.
bool same(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

slot::artifact rules() {
  const auto set = rules::rule_set::compile(
      R"({"rules":[{"name":"often","when":"velocity(customer, 1h) > 2 and sum(customer, 24h) > 10","points":5}]})");
  REQUIRE(set.ok());
  return {"rules", (*set)->id(), std::make_shared<const std::string>((*set)->canonical())};
}

std::shared_ptr<const slot::shared_data> with_pooled_model() {
  static const auto out = [] {
    random_stream random(1, 0);
    std::vector<features::row> rows(300);
    for (auto& row : rows)
      for (auto& x : row)
        x = static_cast<float>(random.uniform());
    auto model = scoring::fit_on_features(rows, {.n_estimators = 5});
    REQUIRE(model.ok());
    return std::make_shared<const slot::shared_data>(enrichment_data{},
                                                     std::make_shared<const detection::model>(std::move(*model)));
  }();
  return out;
}

/// Both children of a tenant with rules and the shared model.
struct children {
  slot::part_result work(std::vector<slot::item> items, bool take_images = false) {
    slot::part p;
    p.tenant = tenant_id{1};
    p.take_images = take_images;
    p.items = std::move(items);
    return scoring.work(enriching.work(std::move(p)));
  }

  static slot::stage_start start() {
    slot::stage_start out;
    out.tenant = tenant_id{1};
    out.artifacts = {rules()};
    out.settings.rules = out.artifacts[0].hash;
    return out;
  }

  slot::enrichment_stage enriching{start(), with_pooled_model()};
  slot::scoring_stage scoring{start(), with_pooled_model()};
};

} // namespace

TEST_CASE("events that are scored and not stored leave no trace, and see what stored ones would", "[slot][f:4.1]") {
  children asked, quiet;
  bool by_rule = false;
  for (int i = 0; i < 20; ++i) {
    const auto tried = asked.work({order(i, -1, true)});
    REQUIRE(tried.results.size() == 1);
    const auto one = asked.work({order(i, i, false)}), other = quiet.work({order(i, i, false)});
    REQUIRE(one.results[0].outcome == slot::outcome::stored);
    CHECK_FALSE(one.results[0].event.risk.degraded);
    CHECK(same(tried.results[0].features, one.results[0].features));
    CHECK(tried.results[0].event.risk.score == one.results[0].event.risk.score);
    CHECK(parts_json(tried.results[0].event.risk.parts) == parts_json(one.results[0].event.risk.parts));
    CHECK(parts_json(one.results[0].event.risk.parts) == parts_json(other.results[0].event.risk.parts));
    by_rule |= parts_json(tried.results[0].event.risk.parts).find("often") != std::string::npos;
  }
  CHECK(by_rule);
  // Images of what is in them, as of the last event of the log, whatever was asked since.
  asked.work({order(99, -1, true)});
  const auto one = asked.work({}, true).images, other = quiet.work({}, true).images;
  REQUIRE(one.size() == other.size());
  REQUIRE(one.size() > 1);
  for (std::size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].chunk == other[i].chunk);
    CHECK(one[i].as_of == log_offset{19});
    CHECK(one[i].as_of == other[i].as_of);
    CHECK(one[i].bytes == other[i].bytes);
  }
}

TEST_CASE("a control record that lands behind a newer version changes nothing", "[slot][f:3.1]") {
  const auto one = mapping("one"), two = mapping("two");
  slot::part p;
  p.tenant = tenant_id{1};
  p.artifacts = {one, two};
  p.items = {control_of(two, 2, 0), control_of(one, 1, 1)};
  auto stage = fresh();
  const auto done = stage.work(p);
  CHECK(done.settings.mapping == two.hash);
  CHECK(done.settings.mapping_version == 2);
  CHECK_FALSE(done.items[0].control_superseded);
  CHECK(done.items[1].control_superseded);
  // Also after it was loaded anew, and going back is a newer version.
  auto again = fresh(*slot::decode_in_force(slot::encode_in_force(done.settings)), {two});
  p.items = {control_of(one, 1, 2)};
  CHECK(again.work(p).settings.mapping == two.hash);
  p.items = {control_of(one, 3, 3)};
  CHECK(again.work(p).settings.mapping == one.hash);
}
