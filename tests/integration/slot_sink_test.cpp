// The sink's one transaction against a real Postgres: what is stored, counted, refused, fenced.
#include <catch2/catch_test_macros.hpp>

#include <fmt/format.h>

#include "postgres/migrator.hpp"
#include "postgres/slot_sink.hpp"
#include "tests/integration/support/database.hpp"

using namespace pulse;

namespace {

postgres::sink_config config(const test::database& db) {
  return {db.url(), "test-node", log_generation{1}, 50};
}

/// An order at a fixed distance before now; its id is that of version 7.
slot::processed order(tenant_id tenant, std::int64_t offset, std::string_view amount = "12.50") {
  slot::processed p;
  p.offset = log_offset{offset};
  p.tenant = tenant;
  auto& e = p.event;
  e.tenant = tenant;
  e.message_id = fmt::format("m-{}", offset);
  e.type = "track";
  e.name = "Order Completed";
  e.occurred_at = e.received_at = time_ms{system_clock().now().value - 3 * hour_ms + offset};
  e.id = event_id{system_random().next_uuid()};
  for (std::size_t i = 0; i < 6; ++i)
    e.id.value.bytes[i] =
        static_cast<std::uint8_t>(e.occurred_at.value >> (40 - 8 * static_cast<std::int64_t>(i)) & 0xff);
  e.timed = true;
  e.customer = "c1";
  e.country = "FR";
  e.amount = to_money(*parse_decimal(amount), *parse_currency("EUR"));
  e.products = {{"p1", "Cup", "", *parse_decimal("6.25"), *parse_decimal("2")}};
  e.risk.level = "low";
  e.risk.outcome = "approve";
  return p;
}

slot::batch batch_of(std::int64_t from, std::vector<slot::processed> results) {
  slot::batch b;
  b.seq = 1;
  b.from = log_offset{from};
  b.to = log_offset{from + static_cast<std::int64_t>(results.size())};
  b.results = std::move(results);
  return b;
}

void require(const result<commit_outcome>& done) {
  if (!done)
    FAIL(done.err().detail);
}

constexpr auto recount =
    "SELECT count(*), coalesce(sum(amount_minor), 0) FROM event WHERE NOT test AND name = 'Order Completed'";
constexpr auto rolled =
    "SELECT coalesce(sum(orders), 0), coalesce(sum(revenue_minor), 0) FROM rollup_quarter WHERE dim = 'total'";

} // namespace

TEST_CASE("a batch is stored with its counts and its position at once", "[sink][f:9.2][f:7.6]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  const auto start = sink.take_over(slot_id{0});
  REQUIRE(start.ok());
  CHECK(start->position == log_offset{0});
  auto twice = order(tenant, 1);
  auto again = twice;
  again.offset = log_offset{2};
  auto window = order(tenant, 3);
  window.event.duplicate = true;
  auto test_event = order(tenant, 4);
  test_event.event.test = true;
  const auto done = sink.commit(batch_of(0, {order(tenant, 0), twice, again, window, test_event}));
  require(done);
  CHECK(done->stored == 3);
  CHECK(done->duplicates == 2);
  CHECK(db.sql(recount) == db.sql(rolled));
  CHECK(db.one("SELECT sum(revenue_minor) FROM rollup_minute WHERE dim = 'country' AND value = 'FR'") == "2500");
  CHECK(db.one("SELECT sum(line_micro) FROM rollup_minute WHERE dim = 'product' AND value = 'p1'") == "25000000");
  CHECK(db.sql("SELECT raw, stored, duplicates, failed, last_offset FROM ledger").front() ==
        std::vector<std::string>{"5", "3", "2", "0", "4"});
  CHECK(db.one("SELECT next_offset FROM log_position") == "5");
}

TEST_CASE("an event sent again later is a duplicate and changes no count", "[sink][f:2.4]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  auto timed = order(tenant, 0);
  auto minted = order(tenant, 1);
  minted.event.timed = false;
  require(sink.commit(batch_of(0, {timed, minted})));
  // The door mints a new id for the same message when the client gives no time.
  auto minted_again = order(tenant, 3);
  minted_again.event.timed = false;
  minted_again.event.message_id = minted.event.message_id;
  timed.offset = log_offset{2};
  const auto done = sink.commit(batch_of(2, {timed, minted_again}));
  require(done);
  CHECK(done->duplicates == 2);
  CHECK(db.sql(recount) == db.sql(rolled));
  CHECK(db.one("SELECT count(*) FROM event") == "2");
}

TEST_CASE("a lost answer is recognised, and an old owner changes nothing", "[sink][f:11.6]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink old_owner(config(db), system_clock());
  REQUIRE(old_owner.take_over(slot_id{0}).ok());
  const auto batch = batch_of(0, {order(tenant, 0)});
  require(old_owner.commit(batch));
  const auto again = old_owner.commit(batch);
  require(again);
  CHECK(again->stored == 0);
  postgres::slot_sink new_owner(config(db), system_clock());
  const auto start = new_owner.take_over(slot_id{0});
  REQUIRE(start.ok());
  CHECK(start->position == log_offset{1});
  CHECK(start->dirty.size() == 1);
  const auto zombie = old_owner.commit(batch_of(1, {order(tenant, 1)}));
  REQUIRE_FALSE(zombie.ok());
  CHECK(zombie.err().code == ec::fenced);
  CHECK(db.one("SELECT count(*) FROM event") == "1");
}

TEST_CASE("rows that SQL refuses are set aside and their neighbours are stored", "[sink][f:11.4]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  std::vector<slot::processed> rows;
  for (int i = 0; i < 40; ++i)
    rows.push_back(order(tenant, i));
  rows[7].event.properties = R"({"a":"\u0000"})";
  rows[23].event.customer = std::string("nul\0byte", 8);
  rows[24].event.context = "not json";
  const auto done = sink.commit(batch_of(0, rows));
  require(done);
  CHECK(done->poison == 3);
  CHECK(done->stored == 37);
  CHECK(db.sql(recount) == db.sql(rolled));
  CHECK(
      db.one("SELECT string_agg(raw_offset::text, ',' ORDER BY raw_offset) FROM failed_event WHERE code = 'poison'") ==
      "7,23,24");
  CHECK(db.sql("SELECT raw, stored, failed FROM ledger").front() == std::vector<std::string>{"40", "37", "3"});
}

TEST_CASE("an event whose counts do not fit is set aside alone, and a long value is cut", "[sink][f:11.4]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  const auto other = db.add_tenant("b");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  // Nine quintillion millionths: one such line fits into a bigint, two do not.
  const auto huge = [&](std::int64_t offset) {
    auto p = order(tenant, offset);
    p.event.products = {{"p1", "", "", *parse_decimal("9000000000000"), *parse_decimal("1")}};
    return p;
  };
  auto twice_in_one = huge(2);
  twice_in_one.event.products.push_back(twice_in_one.event.products.front());
  auto long_value = order(other, 3);
  for (int i = 0; i < 300; ++i)
    long_value.event.store += system_random().next_uuid().str();
  const auto done = sink.commit(batch_of(0, {order(tenant, 0), huge(1), twice_in_one, long_value, huge(4)}));
  require(done);
  CHECK(done->poison == 2);
  CHECK(done->stored == 3);
  CHECK(db.one("SELECT string_agg(raw_offset::text, ',' ORDER BY raw_offset) FROM failed_event") == "2,4");
  CHECK(db.sql(recount) == db.sql(rolled));
  // Another batch's sums are added to what is stored: refused there.
  const auto next = sink.commit(batch_of(5, {huge(5), order(other, 6)}));
  require(next);
  CHECK(next->poison == 1);
  CHECK(next->stored == 1);
  CHECK(db.sql(recount) == db.sql(rolled));
  CHECK(db.one("SELECT max(octet_length(value)) FROM rollup_minute WHERE dim = 'store'") == "512");
}

TEST_CASE("what is older than the horizon is refused, and a missing partition is no poison", "[sink]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  auto old = order(tenant, 0);
  old.event.id.value.bytes[0] = 0;
  require(sink.commit(batch_of(0, {old})));
  CHECK(db.one("SELECT code FROM failed_event") == "older_than_retention");
  auto future = order(tenant, 1);
  future.event.id.value.bytes[0] = 0x7f;
  const auto refused = sink.commit(batch_of(1, {future}));
  REQUIRE_FALSE(refused.ok());
  CHECK(is_retryable(refused.err().code));
  CHECK(db.one("SELECT next_offset FROM log_position") == "1");
}

TEST_CASE("images and settings are loaded as they were stored", "[sink][f:11.3]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  auto batch = batch_of(0, {order(tenant, 0), order(tenant, 1)});
  batch.images.push_back({tenant, log_offset{1}, {{3, log_offset{1}, std::string("a\0b", 3)}}});
  require(sink.commit(batch));
  const auto start = sink.load(tenant);
  REQUIRE(start.ok());
  CHECK(start->as_of == log_offset{1});
  REQUIRE(start->images.size() == 1);
  CHECK(start->images.front().bytes == std::string("a\0b", 3));
  CHECK(start->currency == "EUR");
  CHECK(sink.load(tenant_id{4711}).err().code == ec::not_found);
  CHECK(sink.take_over(slot_id{0})->dirty.empty());
}

TEST_CASE("what was set aside above the mark comes with the images, what SQL refused does not", "[sink][f:11.4]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  const auto failed = [&](std::int64_t offset, const char* stage, const char* code) {
    auto p = order(tenant, offset);
    p.outcome = slot::outcome::failed;
    p.failure = {stage, code, "why", ""};
    p.body = "{}";
    return p;
  };
  auto batch =
      batch_of(0, {failed(0, "scoring", "poison"), order(tenant, 1), failed(2, "scoring", "quarantined"),
                   failed(3, "store", "poison"), failed(4, "ingestion", "malformed"), failed(5, "scoring", "poison")});
  batch.images.push_back({tenant, log_offset{1}, {{3, log_offset{1}, "image"}}});
  require(sink.commit(batch));
  const auto start = sink.load(tenant);
  REQUIRE(start.ok());
  CHECK(start->set_aside == std::vector<log_offset>{log_offset{2}, log_offset{5}});
}

TEST_CASE("a tenant's training is due when its events pass 500, and not again before four times as many",
          "[sink][f:5.1]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  const auto due = [&] {
    return db.one("SELECT count(*) FROM due WHERE kind = 'train' AND at <= now()");
  };
  require(sink.commit(batch_of(0, {order(tenant, 0)})));
  CHECK(due() == "0");
  db.sql("UPDATE ledger SET raw = 499, stored = 499");
  auto again = order(tenant, 1);
  again.event = order(tenant, 0).event;
  again.event.duplicate = true;
  require(sink.commit(batch_of(1, {again})));
  CHECK(due() == "0");
  require(sink.commit(batch_of(2, {order(tenant, 2)})));
  CHECK(due() == "1");
  db.sql("DELETE FROM due");
  require(sink.commit(batch_of(3, {order(tenant, 3)})));
  CHECK(due() == "0");
  db.sql("UPDATE ledger SET raw = raw + 1498, stored = stored + 1498");
  require(sink.commit(batch_of(4, {order(tenant, 4)})));
  CHECK(due() == "1");
}

TEST_CASE("a flagged event leaves one alert candidate, and only when it was inserted", "[sink][f:8.12]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  auto odd = order(tenant, 0);
  odd.event.risk.score = 95;
  odd.event.risk.parts = {{"model", "amount", 95, "the amount is 40 times the usual", 500.0, 12.5}};
  auto again = odd;
  again.offset = log_offset{1};
  auto stale = order(tenant, 2);
  stale.event.risk.score = 99;
  stale.event.occurred_at.value -= 2 * day_ms;
  const auto done = sink.commit(batch_of(0, {odd, again, stale}));
  require(done);
  CHECK(done->alerted == std::vector{tenant});
  CHECK(db.one("SELECT count(*) FROM alert") == "1");
  CHECK(db.one("SELECT data->>'event_id' FROM alert") == odd.event.id.str());
  CHECK(db.one("SELECT count(*) FROM due WHERE kind = 'alert'") == "1");
}

TEST_CASE("what is over its age goes, and nothing else", "[sink][f:9.2]") {
  test::database db;
  const auto tenant = db.add_tenant("a").value;
  for (const auto* age : {"40 days", "1 day"})
    db.sql(
        fmt::format("INSERT INTO failed_event VALUES ({}, gen_random_uuid(), now() - interval '{}', 's', 'c', 'd', '', "
                    "NULL, NULL, 0, 0, 'x')",
                    tenant, age));
  db.sql(fmt::format("INSERT INTO message_seen VALUES ({}, 'a', gen_random_uuid(), now() - interval '8 days'), "
                     "({}, 'b', gen_random_uuid(), now())",
                     tenant, tenant));
  const auto gone = postgres::delete_aged(db.url(), 100);
  if (!gone)
    FAIL(gone.err().detail);
  CHECK(*gone == 2);
  CHECK(db.one("SELECT count(*) FROM failed_event") == "1");
  CHECK(db.one("SELECT encode(hash, 'escape') FROM message_seen") == "b");
}

TEST_CASE("weeks before the horizon go, the week of the horizon stays and takes events", "[sink][f:9.2]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  const auto weeks = [&] {
    return std::stoi(db.one("SELECT count(*) FROM pg_inherits WHERE inhparent = 'event'::regclass"));
  };
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  const auto before = weeks();
  auto edge = order(tenant, 0);
  const auto at = system_clock().now().value - 30 * day_ms;
  for (std::size_t i = 0; i < 6; ++i)
    edge.event.id.value.bytes[i] = static_cast<std::uint8_t>(at >> (40 - 8 * static_cast<std::int64_t>(i)) & 0xff);
  REQUIRE(postgres::drop_partitions(db.url(), 30).ok());
  CHECK(weeks() < before);
  const auto left = weeks();
  require(sink.commit(batch_of(0, {edge})));
  CHECK(db.one("SELECT count(*) FROM event") == "1");
  // What was dropped is not made again, what stays is not dropped.
  REQUIRE(postgres::make_partitions(db.url(), 30).ok());
  REQUIRE(postgres::drop_partitions(db.url(), 30).ok());
  CHECK(weeks() == left);
}

TEST_CASE("an amount without a currency neither stops the slot nor becomes the tenant's currency", "[sink]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  db.sql("UPDATE tenant SET currency = NULL");
  postgres::slot_sink sink(config(db), system_clock());
  REQUIRE(sink.take_over(slot_id{0}).ok());
  auto bare = order(tenant, 0);
  bare.event.amount->unit = currency{};
  require(sink.commit(batch_of(0, {bare})));
  CHECK(db.one("SELECT currency FROM tenant") == "∅");
  require(sink.commit(batch_of(1, {order(tenant, 1)})));
  CHECK(db.one("SELECT currency FROM tenant") == "EUR");
}

TEST_CASE("by lease a slot is taken under the lease's epoch, again under the same, never under a lower one",
          "[sink][cluster][f:11.6]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  postgres::slot_sink old_owner(config(db), system_clock());
  REQUIRE(old_owner.take_over(slot_id{0}, {epoch{4}, ""}).ok());
  require(old_owner.commit(batch_of(0, {order(tenant, 0)})));
  REQUIRE(old_owner.take_over(slot_id{0}, {epoch{4}, ""})->position == log_offset{1});
  postgres::slot_sink new_owner(config(db), system_clock());
  const auto start = new_owner.take_over(slot_id{0}, {epoch{6}, ""});
  REQUIRE(start.ok());
  CHECK(start->position == log_offset{1});
  CHECK(start->epoch == epoch{6});
  CHECK(old_owner.take_over(slot_id{0}, {epoch{5}, ""}).err().code == ec::fenced);
  CHECK(old_owner.commit(batch_of(1, {order(tenant, 1)})).err().code == ec::fenced);
  require(new_owner.commit(batch_of(1, {order(tenant, 1)})));
  CHECK(db.one("SELECT count(*) FROM event") == "2");
}

TEST_CASE("the sessions of a stopped owner are ended for the slot that was taken from it, and for no other",
          "[sink][cluster][f:11.6]") {
  test::database db;
  auto c = config(db);
  c.node = "node-old";
  postgres::slot_sink stopped(c, system_clock());
  postgres::slot_sink other(c, system_clock());
  REQUIRE(stopped.take_over(slot_id{0}, {epoch{1}, ""}).ok());
  REQUIRE(other.take_over(slot_id{1}, {epoch{1}, ""}).ok());
  const auto sessions = "SELECT string_agg(application_name, ',' ORDER BY application_name) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND application_name LIKE 'pulse-writer node-old%'";
  CHECK(db.one(sessions) == "pulse-writer node-old 0,pulse-writer node-old 1");
  postgres::slot_sink next(config(db), system_clock());
  REQUIRE(next.take_over(slot_id{0}, {epoch{2}, "node-old"}).ok());
  CHECK(db.one(sessions) == "pulse-writer node-old 1");
}
