// The query store against a real Postgres: every answer equals a naive recount, pages are stable, and no call shows a
// row of another tenant.
#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <fmt/format.h>
#include <functional>
#include <set>

#include "tests/integration/support/query_world.hpp"

using namespace pulse;
using query::dimension;
using query::metric;

namespace {

time_ms at(std::string_view text) {
  return parse_time(text).value();
}

query::metric_question ask(const query::parameters& given, metric m, time_ms now = at("2026-04-01T12:00:00Z")) {
  const auto out = query::read_metric_question(query::info_of(m), given, now);
  if (const auto* found = std::get_if<query::problems>(&out))
    FAIL(found->front().detail);
  return std::get<query::metric_question>(out);
}

query::events_question list(const query::parameters& given) {
  const auto out = query::read_events_question(given);
  REQUIRE(std::holds_alternative<query::events_question>(out));
  return std::get<query::events_question>(out);
}

template <class T>
T good(result<T> done) {
  if (!done)
    FAIL(done.err().detail);
  return std::move(*done);
}

bool same(const query::value& a, const query::value& b) {
  if (const auto* x = std::get_if<double>(&a))
    return std::holds_alternative<double>(b) && std::abs(*x - std::get<double>(b)) < 1e-9;
  return a == b;
}

std::string text(const query::value& v) {
  return std::visit([](const auto& x) { return fmt::format("{}", x); }, v);
}

bool zero(const query::value& v) {
  return text(v) == "0" || text(v) == "0.00";
}

/// Holds every point of an answer, its total, and the groups that it leaves out, against the recount.
void check(const test::query_world& world, tenant_id tenant, const query::metric_answer& got) {
  const auto& q = got.question;
  const auto end = [&](std::size_t i) {
    return i + 1 < got.buckets.size() ? std::min(q.to, got.buckets[i + 1]) : q.to;
  };
  const auto expect = [&](const query::value& value, std::size_t i, const auto& group) {
    const auto wanted = world.recount(tenant, q, std::max(q.from, got.buckets[i]), end(i), group);
    if (!same(value, wanted)) {
      INFO("bucket " << format_time(got.buckets[i]) << ": " << text(value) << " instead of " << text(wanted));
      CHECK(same(value, wanted));
    }
  };
  std::set<std::optional<std::string>> told;
  for (const auto& s : got.series) {
    REQUIRE(s.points.size() == got.buckets.size());
    told.insert(s.group);
    std::optional<std::optional<std::string>> group;
    if (q.group_by)
      group.emplace(s.group);
    INFO("group " << s.group.value_or("-"));
    for (std::size_t i = 0; i < s.points.size(); ++i)
      expect(s.points[i], i, group);
  }
  if (q.group_by && *q.group_by != dimension::product && !q.filter(*q.group_by))
    for (const auto* name : {"web", "shop", "spring", "FR", "GB", "mobile", "desktop"})
      if (!told.contains(name))
        CHECK(zero(world.recount(tenant, q, q.from, q.to, std::optional<std::optional<std::string>>(name))));
  const auto total = world.recount(tenant, q, q.from, q.to, std::nullopt);
  INFO("total " << text(got.total) << ", recounted " << text(total));
  CHECK(same(got.total, total));
}

} // namespace

TEST_CASE("every metric equals a recount, however it is grouped, filtered and cut", "[query][f:7.1][f:7.6]") {
  constexpr std::uint64_t seed = 20260329;
  test::query_world world(seed, 700);
  std::mt19937_64 random(seed);
  const auto one_of = [&random](const auto& all) {
    return all[random() % std::size(all)];
  };
  const char* froms[] = {"2026-03-27T00:00:00Z", "2026-03-28T10:07:30Z", "2026-03-29T00:00:00Z",
                         "2026-03-28T18:15:00Z"};
  const char* tos[] = {"2026-03-31T23:59:59Z", "2026-03-30T11:11:11Z", "2026-03-31T00:00:00Z"};
  const char* zones[] = {"UTC", "Europe/London", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"};
  const char* grains[] = {"hour", "hour", "day", "day", "week", "month", "minute"};
  const char* dims[] = {"", "store", "campaign", "product", "country", "device", "name"};
  const std::pair<const char*, const char*> filters[] = {{"store", "web"},     {"campaign", "spring"},
                                                         {"product", "p1"},    {"country", "FR"},
                                                         {"device", "mobile"}, {"name", "Order Completed"}};
  std::set<bool> sources;
  for (int i = 0; i < 260; ++i) {
    const auto& m = one_of(query::all_metrics());
    query::parameters given = {{"from", one_of(froms)},
                               {"to", one_of(tos)},
                               {"timezone", one_of(zones)},
                               {"granularity", one_of(grains)},
                               {"group_by", one_of(dims)}};
    std::set<std::string> used;
    for (auto k = random() % 3; k > 0; --k)
      if (const auto f = one_of(filters); used.insert(f.first).second)
        given.emplace_back(f.first, f.second);
    if (random() % 10 == 0)
      given.emplace_back("mode", "test");
    if (!m.by_product)
      std::erase_if(given, [](const auto& p) { return p.first == "product" || p.second == "product"; });
    const auto q = ask(given, m.id);
    // A minute's points of all groups, recounted naively, take too long for what they tell.
    if (q.granularity == query::granularity::minute && q.group_by)
      continue;
    std::string said(m.name);
    for (const auto& [name, value] : given)
      said += fmt::format(" {}={}", name, value);
    INFO("seed " << seed << ": " << said);
    const auto tenant = random() % 2 == 0 ? world.a : world.b;
    const auto got = good(world.store.metric(tenant, q));
    sources.insert(got.from_events);
    CHECK(got.from_events == !query::rollups_answer(q));
    check(world, tenant, got);
  }
  CHECK(sources.size() == 2);
}

TEST_CASE("days are those of the zone, with 23 and 25 hours where the clocks change", "[query][f:7.1]") {
  test::query_world world(1, 1);
  const auto buckets = [&](const char* zone, const char* grain, const char* from, const char* to) {
    return good(
               world.store.metric(world.a, ask({{"timezone", zone}, {"granularity", grain}, {"from", from}, {"to", to}},
                                               metric::events)))
        .buckets;
  };
  CHECK(buckets("Europe/London", "day", "2026-03-28T00:00:00Z", "2026-03-30T23:00:00Z") ==
        std::vector{at("2026-03-28T00:00:00Z"), at("2026-03-29T00:00:00Z"), at("2026-03-29T23:00:00Z")});
  CHECK(buckets("Europe/London", "day", "2025-10-25T23:00:00Z", "2025-10-27T00:00:00Z") ==
        std::vector{at("2025-10-25T23:00:00Z")});
  CHECK(buckets("Europe/London", "hour", "2025-10-25T23:00:00Z", "2025-10-27T00:00:00Z").size() == 25);
  CHECK(buckets("Asia/Kathmandu", "day", "2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z") ==
        std::vector{at("2026-03-27T18:15:00Z"), at("2026-03-28T18:15:00Z")});
  CHECK(buckets("Asia/Kathmandu", "hour", "2026-03-28T00:00:00Z", "2026-03-28T01:00:00Z") ==
        std::vector{at("2026-03-27T23:15:00Z"), at("2026-03-28T00:15:00Z")});
  CHECK(buckets("UTC", "month", "2026-01-31T00:00:00Z", "2026-03-01T00:00:00Z").size() == 2);
  CHECK(buckets("UTC", "week", "2026-03-29T00:00:00Z", "2026-03-30T00:00:01Z") ==
        std::vector{at("2026-03-23T00:00:00Z"), at("2026-03-30T00:00:00Z")});
  const auto unknown = world.store.metric(world.a, ask({{"timezone", "Mars/Base"}}, metric::events));
  REQUIRE_FALSE(unknown.ok());
  CHECK(unknown.err().code == ec::invalid);
  CHECK(unknown.err().pointer == "/timezone");
}

TEST_CASE("pages hold every event once, whatever is inserted meanwhile", "[query][f:7.2]") {
  test::query_world world(7, 120);
  for (const auto* sort : {"time", "-time"}) {
    std::vector<uuid> seen;
    query::parameters given = {{"sort", sort}, {"limit", "7"}, {"device", "mobile"}};
    std::set<uuid> before;
    for (const auto& p : world.stored)
      if (p.tenant == world.a && !p.event.test && p.event.device == "mobile")
        before.insert(p.event.id.value);
    for (int pages = 0; pages < 100; ++pages) {
      const auto q = list(given);
      const auto page = good(world.store.events(world.a, q));
      for (const auto& e : page.rows)
        seen.push_back(e.id.value);
      if (!page.has_more)
        break;
      std::erase_if(given, [](const auto& p) { return p.first == "cursor"; });
      given.emplace_back("cursor", query::write_cursor(q.question, page.rows.back().id.value));
      // Two events of one and the same millisecond.
      const auto t = at("2026-03-29T00:30:00Z");
      world.add({world.make(world.a, t), world.make(world.a, t), world.make(world.b, t)});
    }
    CHECK(std::set(seen.begin(), seen.end()).size() == seen.size());
    CHECK(std::is_sorted(seen.begin(), seen.end(), [&](const auto& l, const auto& r) {
      return std::string_view(sort) == "time" ? l < r : r < l;
    }));
    for (const auto& id : before)
      CHECK(std::find(seen.begin(), seen.end(), id) != seen.end());
  }
}

TEST_CASE("the list's filters pass what they name", "[query][f:7.2]") {
  test::query_world world(11, 200);
  const auto count = [&](query::parameters given, const std::function<bool(const pulse::event&)>& wanted) {
    given.emplace_back("limit", "1000");
    std::size_t expected = 0;
    for (const auto& p : world.stored)
      expected += p.tenant == world.a && wanted(p.event) ? 1 : 0;
    CHECK(expected > 0);
    CHECK(good(world.store.events(world.a, list(given))).rows.size() == expected);
  };
  count({}, [](const auto& e) { return !e.test; });
  count({{"mode", "test"}}, [](const auto& e) { return e.test; });
  count({{"product", "p1"}}, [](const auto& e) {
    return !e.test &&
           std::any_of(e.products.begin(), e.products.end(), [](const auto& l) { return l.product_id == "p1"; });
  });
  count({{"customer", "x1"}}, [](const auto& e) { return !e.test && e.anonymous_id == "x1"; });
  count({{"min_risk", "90.5"}}, [](const auto& e) { return !e.test && e.risk.score >= 90.5; });
  count({{"type", "track"}, {"outcome", "approve"}, {"country", "FR"}, {"name", "Page"}},
        [](const auto& e) { return !e.test && e.country == "FR" && e.name == "Page"; });
  const auto from = at("2026-03-28T12:00:00Z");
  const auto to = at("2026-03-29T01:30:00Z");
  count({{"from", format_time(from)}, {"to", format_time(to)}},
        [&](const auto& e) { return !e.test && e.occurred_at >= from && e.occurred_at < to; });
}

TEST_CASE("an event comes back as it was stored, and its trail tells the way", "[query][f:7.2][f:2.9]") {
  test::query_world world(13, 1);
  auto p = world.make(world.a, at("2026-03-31T10:00:00.123Z"));
  auto& e = p.event;
  e.test = false;
  e.name = "Order Completed";
  e.amount = money{1250, *parse_currency("EUR")};
  e.products = {{"p1", "Cup", "", *parse_decimal("6.25"), *parse_decimal("2")}};
  e.customer = "c'1";
  e.received_at = time_ms{e.occurred_at.value + second_ms};
  e.risk.score = 95.5;
  e.risk.parts = {{"model", "amount", 95.5, "odd", 500.0, 12.5}};
  e.notes = {{"missing_property", "/properties/currency", "taken"}};
  e.origins = {{"country", "geo"}};
  e.properties = R"({"n": 123456789012345678901234567890})";
  world.add({p});
  const auto got = good(world.store.event(world.a, e.id));
  CHECK(got.message_id == e.message_id);
  CHECK(got.occurred_at == e.occurred_at);
  CHECK(got.received_at == e.received_at);
  CHECK(got.customer == "c'1");
  CHECK(got.amount == e.amount);
  CHECK(got.risk_milli == 95500);
  CHECK(got.properties_json == e.properties);
  CHECK(got.provenance_json == R"({"country": "geo"})");
  CHECK(got.warnings_json.find("missing_property") != std::string::npos);
  const auto from = at("2026-03-25T00:00:00Z");
  const auto to = at("2026-04-02T00:00:00Z");
  for (const auto* text :
       {"INSERT INTO endpoint (tenant_id, endpoint_id, kind, url, secret) VALUES ({0}, gen_random_uuid(), 'webhook', "
        "'u', 's')",
        "INSERT INTO delivery (tenant_id, delivery_id, alert_id, endpoint_id, next_at) SELECT {0}, gen_random_uuid(), "
        "alert_id, endpoint_id, now() FROM alert, endpoint WHERE event_id = '{1}'",
        "INSERT INTO attempt (tenant_id, delivery_id, attempt, endpoint_id, alert_id, at, status, seconds) SELECT {0}, "
        "delivery_id, n, endpoint_id, alert_id, now() + n * interval '1 s', CASE n WHEN 1 THEN 500 ELSE 200 END, 0.1 "
        "FROM delivery, generate_series(1, 2) AS n"})
    world.db.sql(fmt::format(fmt::runtime(text), world.a.value, e.id.str()));
  for (const auto& id : {e.id.str(), e.message_id}) {
    const auto trail = good(world.store.trail(world.a, id, from, to));
    REQUIRE(trail.stored.has_value());
    CHECK(trail.stored->id == e.id);
    REQUIRE(trail.alert.has_value());
    CHECK(trail.alert->severity == "warning");
    REQUIRE(trail.deliveries.size() == 2);
    CHECK(trail.deliveries.back().status == 200);
  }
  CHECK(world.store.trail(world.a, e.message_id, from, at("2026-03-30T00:00:00Z")).err().code == ec::not_found);
  CHECK(world.store.trail(world.a, "no such", from, to).err().code == ec::not_found);
}

TEST_CASE("failed events are listed with their bodies, and their trail says why", "[query][f:2.9]") {
  test::query_world world(17, 1);
  for (int i = 0; i < 5; ++i)
    world.db.sql(fmt::format("INSERT INTO failed_event VALUES ({}, ('019d3f{:02x}-0000-7000-8000-000000000000')::uuid, "
                             "'2026-03-30', 'ingestion', '{}', 'd', '/x', 'lost-{}', NULL, 0, 7, '\\x7b00ff')",
                             i == 4 ? world.b.value : world.a.value, i, i == 0 ? "no_user" : "bad_json", i));
  const auto read = [&](const query::parameters& given) {
    return good(
        world.store.failed_events(world.a, std::get<query::failed_question>(query::read_failed_question(given))));
  };
  const auto all = read({});
  REQUIRE(all.rows.size() == 4);
  CHECK(all.rows.front().message_id == "lost-3");
  CHECK(all.rows.front().body == std::string("{\0\xff", 3));
  CHECK(read({{"code", "no_user"}}).rows.size() == 1);
  CHECK(read({{"stage", "store"}}).rows.empty());
  CHECK(read({{"limit", "3"}}).has_more);
  const auto trail = good(world.store.trail(world.a, "lost-2", at("2026-01-01T00:00:00Z"), at("2026-12-01T00:00:00Z")));
  REQUIRE(trail.failed.size() == 1);
  CHECK_FALSE(trail.stored.has_value());
  CHECK(trail.failed.front().code == "bad_json");
}

namespace {

void check_alone(test::query_world& world, tenant_id nobody) {
  const auto& theirs = *std::find_if(world.stored.begin(), world.stored.end(),
                                     [&](const auto& p) { return p.tenant == world.b && !p.event.test; });
  const auto from = at("2026-03-01T00:00:00Z");
  const auto to = at("2026-04-10T00:00:00Z");
  CHECK(world.store.event(world.a, theirs.event.id).err().code == ec::not_found);
  CHECK(world.store.trail(world.a, theirs.event.id.str(), from, to).err().code == ec::not_found);
  CHECK(world.store.trail(world.a, theirs.event.message_id, from, to).err().code == ec::not_found);
  CHECK(world.store.event(world.b, theirs.event.id).ok());
  std::set<uuid> mine;
  for (const auto& p : world.stored)
    if (p.tenant == world.a)
      mine.insert(p.event.id.value);
  // A cursor that the other tenant was given leads into one's own rows.
  auto q = list({{"limit", "1000"}});
  q.after = theirs.event.id.value;
  for (const auto& e : good(world.store.events(world.a, q)).rows)
    CHECK(mine.contains(e.id.value));
  for (const auto& m : query::all_metrics())
    for (const auto* dim : {"", "country", "name"}) {
      const auto got = good(world.store.metric(
          nobody, ask({{"from", "2026-03-27T00:00:00Z"}, {"granularity", "day"}, {"group_by", dim}}, m.id)));
      CHECK(zero(got.total));
      CHECK(got.series.size() == (*dim == 0 ? 1U : 0U));
      CHECK_FALSE(got.fresh_until.has_value());
    }
  CHECK(good(world.store.events(nobody, list({}))).rows.empty());
  CHECK(good(world.store.use(nobody)).raw == 0);
  CHECK(good(world.store.use(world.a)).stored == 60);
  CHECK(world.store.metric(tenant_id{4711}, ask({}, metric::events)).err().code == ec::not_found);
}

} // namespace

TEST_CASE("no call of one tenant shows a byte of another", "[query][f:9.1]") {
  test::query_world world(19, 60);
  const auto nobody = world.db.add_tenant("nobody");
  // Once as it stands, once without any policy: each statement names its tenant by itself.
  for (const bool policies : {true, false}) {
    INFO("policies: " << policies);
    if (!policies)
      for (const auto* table : {"tenant", "event", "rollup_minute", "rollup_quarter", "failed_event", "message_seen",
                                "ledger", "alert", "delivery", "attempt"})
        world.db.sql(fmt::format("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", table));
    check_alone(world, nobody);
  }
}

TEST_CASE("a question that takes too long ends with what to do", "[query]") {
  test::query_world world(23, 300);
  postgres::pg_query_store hasty({world.db.url(), "test", 1}, world.time);
  const auto slow =
      hasty.metric(world.a, ask({{"from", "2026-03-27T00:00:00Z"}, {"granularity", "minute"}, {"group_by", "product"}},
                                metric::conversion));
  REQUIRE_FALSE(slow.ok());
  CHECK(slow.err().code == ec::timeout);
  CHECK(slow.err().detail.find("shorter range") != std::string::npos);
}
