// Labels against the real Postgres: events found by id, order and message; the latest label counts; nobody else's.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>

#include <fmt/format.h>

#include "models/risk/label_batch.hpp"
#include "postgres/label_store.hpp"
#include "tests/integration/support/database.hpp"

using namespace pulse;

namespace {

constexpr time_ms now{1'775'000'000'000};

event_id add_event(test::database& db, tenant_id tenant, int n, const std::string& name, const std::string& order,
                   const std::string& parts = "[]") {
  const auto id = db.one(
      fmt::format("INSERT INTO event (tenant_id, event_id, message_id, type, name, occurred_at, received_at, "
                  "test, order_id, customer, bot, risk_milli, risk_level, risk_outcome, degraded, risk_parts, flagged, "
                  "properties, context, trace_id, node, raw_slot, raw_offset) VALUES ({}, "
                  "overlay(pulse_id_at(to_timestamp({}))::text placing '7{:03}' from 15)::uuid, 'm-{}', 'track', "
                  "'{}', to_timestamp({}), now(), false, '{}', 'ada', false, 0, 'low', 'decline', false, '{}', false, "
                  "'{{}}', '{{}}', gen_random_uuid(), 'n', 0, {}) RETURNING event_id",
                  tenant.value, now.value / 1000 + n, n, n, name, now.value / 1000 + n, order, parts, n));
  return event_id{*uuid::parse(id)};
}

given_label by_order(const std::string& order, bool fraud, const std::string& reason = "chargeback") {
  return {{}, "", order, fraud, reason, now};
}

} // namespace

TEST_CASE("labels find their events by id, order and message, and the latest word counts", "[labels][f:4.5]") {
  test::database db;
  db.sql("CALL pulse_make_partitions('2026-03-01', '2026-05-01')");
  const auto a = db.add_tenant("a");
  const auto b = db.add_tenant("b");
  const auto order =
      add_event(db, a, 1, "Order Completed", "o1", R"([{"source":"rule","name":"fast","points":1,"detail":""}])");
  add_event(db, a, 2, "Order Refunded", "o1");
  const auto page = add_event(db, a, 3, "Product Viewed", "");
  add_event(db, b, 4, "Order Completed", "o9");
  postgres::pg_label_store store(db.url(), "test");
  const time_ms from{now.value - day_ms}, to{now.value + day_ms};
  const std::vector<given_label> first{
      by_order("o1", true), by_order("o9", true), {page, "", "", false, "", now}, {{}, "m-3", "", false, "", now}};
  auto said = store.put(a, first, from, to, "key x");
  REQUIRE(said.ok());
  const auto& answers = said->answers;
  CHECK(answers[0].result == "ok");
  CHECK(answers[0].id == order);
  // Another tenant's order is nobody's.
  CHECK(answers[1].result == "unknown");
  CHECK(answers[2].result == "ok");
  CHECK(answers[3].id == page);
  REQUIRE(said->control);
  REQUIRE(said->changed.size() == 2);
  CHECK(std::count_if(said->changed.begin(), said->changed.end(),
                      [](const auto& l) { return l.fraud && l.outcome == "decline"; }) == 1);
  const auto again = store.put(a, std::vector{by_order("o1", true)}, from, to, "key x");
  CHECK(again->answers.front().result == "unchanged");
  CHECK_FALSE(again->control);
  const auto other = store.put(a, std::vector{by_order("o1", false, "review")}, from, to, "key y");
  CHECK(other->answers.front().result == "ok");
  // What goes into the log says what it was before, and by what the payment is linked.
  REQUIRE(other->control);
  CHECK(other->control->kind == "labels");
  const auto batch = labels::decode(
      db.one(fmt::format("SELECT convert_from(bytes, 'UTF8') FROM artifact WHERE hash = '{}'", other->control->hash)));
  REQUIRE(batch.ok());
  REQUIRE(batch->changes.size() == 1);
  CHECK(batch->changes[0].was == true);
  CHECK(batch->changes[0].frauds_by() == -1);
  CHECK(batch->changes[0].entities.size() == 1);
  CHECK(db.one("SELECT count(*) FROM control_pending") == "2");
  auto listed = store.list(a, {});
  REQUIRE(listed.ok());
  REQUIRE(listed->rows.size() == 2);
  CHECK(listed->rows[0].id == page);
  CHECK_FALSE(listed->rows[1].fraud);
  CHECK(listed->rows[1].reason == "review");
  CHECK(listed->rows[1].order_id == "o1");
  auto judged = store.judged(a, from, to, 10);
  REQUIRE(judged.ok());
  REQUIRE(judged->size() == 2);
  CHECK(judged->back().outcome == "decline");
  CHECK(judged->back().parts_json.find("fast") != std::string::npos);
  CHECK(store.list(b, {})->rows.empty());
  CHECK(store.put(a, std::vector{given_label{{}, "m-3", "", true, "", now}}, from, from, "k")->answers.front().result ==
        "unknown");
}
