// Control records in a tenant's stages: what is in force after them.
#include <catch2/catch_test_macros.hpp>

#include <cstring>

#include "models/event/raw_codec.hpp"
#include "models/slot/shared_data.hpp"
#include "models/slot/stages.hpp"

using namespace pulse;

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

/// Both children of a new tenant.
struct children {
  slot::part_result work(std::vector<slot::item> items, bool take_images = false) {
    slot::part p;
    p.tenant = tenant_id{1};
    p.take_images = take_images;
    p.items = std::move(items);
    return scoring.work(enriching.work(std::move(p)));
  }

  slot::enrichment_stage enriching = fresh();
  slot::scoring_stage scoring{slot::stage_start{tenant_id{1}, {}, {}, {}},
                              std::make_shared<const slot::shared_data>(enrichment_data{}, nullptr)};
};

} // namespace

TEST_CASE("events that are scored and not stored leave no trace, and see what stored ones would", "[slot][f:4.1]") {
  children asked, quiet;
  for (int i = 0; i < 20; ++i) {
    const auto tried = asked.work({order(i, -1, true)});
    REQUIRE(tried.results.size() == 1);
    const auto one = asked.work({order(i, i, false)}), other = quiet.work({order(i, i, false)});
    REQUIRE(one.results[0].outcome == slot::outcome::stored);
    CHECK(same(tried.results[0].features, one.results[0].features));
    CHECK(tried.results[0].event.risk.score == one.results[0].event.risk.score);
    CHECK(same(one.results[0].features, other.results[0].features));
  }
  asked.work({order(99, -1, true)});
  const auto one = asked.work({order(20, 20, false)}, true).images,
             other = quiet.work({order(20, 20, false)}, true).images;
  REQUIRE(one.size() == other.size());
  REQUIRE_FALSE(one.empty());
  for (std::size_t i = 0; i < one.size(); ++i) {
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
