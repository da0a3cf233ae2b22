// Control records in a tenant's stages: what is in force after them.
#include <catch2/catch_test_macros.hpp>

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

} // namespace

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
