// Alerts from candidate to recorded attempt in a real Postgres: limits, leases, retries, and what is due.
#include "tests/integration/support/alert_world.hpp"

using namespace pulse;
using test::add_candidate;
using test::add_endpoint;
using test::must;

namespace {

attempt_result answered(const claimed_delivery& c, int status) {
  attempt_result r;
  r.delivery_id = c.delivery_id;
  r.attempt = c.attempt;
  r.status = status;
  r.seconds = 0.01;
  return r;
}

time_ms later(std::int64_t ms) {
  return time_ms{system_clock().now().value + ms};
}

} // namespace

TEST_CASE("a candidate is told to the endpoints that want its type, and nothing is due when all have it",
          "[alerting][f:8.12]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  const auto all = add_endpoint(db, tenant, "http://all.example/");
  const auto flagged = add_endpoint(db, tenant, "http://flagged.example/", "{event.flagged}");
  add_endpoint(db, tenant, "http://metrics.example/", "{metric.anomaly}");
  const auto id = add_candidate(db, tenant);
  postgres::pg_alert_store store(db.url(), "n");
  const auto planned = must(store.plan(tenant, later(0)));
  CHECK(planned.told == 1);
  CHECK(planned.deliveries == 2);
  CHECK(must(store.plan(tenant, later(0))).told == 0);
  CHECK(db.sql("SELECT dedup_key, alerts, state FROM incident").front() ==
        std::vector<std::string>{"event.flagged", "1", "open"});
  const auto claimed = must(store.claim(tenant, later(0), {}));
  REQUIRE(claimed.size() == 2);
  for (const auto& c : claimed) {
    CHECK((c.endpoint_id == all || c.endpoint_id == flagged));
    CHECK(c.alert.alert_id == id);
    CHECK(c.attempt == 1);
    CHECK(c.alert.traceparent.starts_with("00-" + c.trace.hex() + "-"));
    CHECK(c.alert.incident_id == db.one("SELECT incident_id FROM incident"));
    CHECK(test::is_due(db, tenant));
    CHECK(must(store.record(tenant, later(0), {answered(c, 200)})).at(0) == recorded::delivered);
  }
  CHECK_FALSE(test::is_due(db, tenant));
  CHECK(db.one("SELECT count(*) FROM attempt WHERE outcome = 'delivered' AND status = 200") == "2");
}

TEST_CASE("ten flagged events an hour are told and then one summary, whatever was restarted meanwhile",
          "[alerting][f:8.5]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  add_endpoint(db, tenant, "http://all.example/");
  for (int i = 0; i < 7; ++i)
    add_candidate(db, tenant);
  const auto plan = [&](time_ms at) {
    // A new object each time: nothing is kept outside of the database.
    return must(postgres::pg_alert_store(db.url(), "n").plan(tenant, at));
  };
  CHECK(plan(later(0)).told == 7);
  for (int i = 0; i < 6; ++i)
    add_candidate(db, tenant, 98);
  const auto second = plan(later(minute_ms));
  CHECK(second.told == 3);
  CHECK(second.held == 3);
  add_candidate(db, tenant, 91);
  CHECK(plan(later(30 * minute_ms)).held == 1);
  const auto summary = plan(later(62 * minute_ms));
  CHECK(summary.summaries == 1);
  CHECK(summary.told == 1);
  CHECK(summary.deliveries == 1);
  CHECK(plan(later(63 * minute_ms)).summaries == 0);
  CHECK(db.sql("SELECT data->>'held', data->>'critical', severity, type FROM alert WHERE event_id IS NULL").front() ==
        std::vector<std::string>{"4", "3", "critical", "event.flagged"});
  CHECK(db.one("SELECT count(*) FROM alert WHERE state = 'held' AND summary_id IS NOT NULL") == "4");
  CHECK(db.one("SELECT count(*) FROM incident") == "1");
}

TEST_CASE("a lease that ran out is claimed again under the same alert, and a late result changes nothing",
          "[alerting][f:8.12]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  add_endpoint(db, tenant, "http://all.example/");
  add_candidate(db, tenant);
  postgres::pg_alert_store killed(db.url(), "n1");
  must(killed.plan(tenant, later(0)));
  const auto lost = must(killed.claim(tenant, later(0), {}));
  REQUIRE(lost.size() == 1);
  postgres::pg_alert_store next(db.url(), "n2");
  CHECK(must(next.claim(tenant, later(minute_ms), {})).empty());
  CHECK(test::is_due(db, tenant));
  const auto again = must(next.claim(tenant, later(4 * minute_ms), {}));
  REQUIRE(again.size() == 1);
  CHECK(again[0].attempt == 2);
  CHECK(again[0].delivery_id == lost[0].delivery_id);
  CHECK(again[0].alert.alert_id == lost[0].alert.alert_id);
  CHECK(must(killed.record(tenant, later(4 * minute_ms), {answered(lost[0], 500)})).at(0) == recorded::stale);
  CHECK(must(next.record(tenant, later(4 * minute_ms), {answered(again[0], 200)})).at(0) == recorded::delivered);
  CHECK(db.one("SELECT string_agg(outcome, ',' ORDER BY attempt) FROM attempt") == "stale,delivered");
  CHECK_FALSE(test::is_due(db, tenant));
}

TEST_CASE("a failure is tried again with growing delay, and given up at last", "[alerting][f:8.2]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  add_endpoint(db, tenant, "http://all.example/");
  add_candidate(db, tenant);
  alert::retry_config retry;
  retry.delays_ms = {1000, 60'000};
  postgres::pg_alert_store store(db.url(), "n", retry);
  must(store.plan(tenant, later(0)));
  auto at = later(0);
  for (const auto& [wait, what] :
       {std::pair{2000, recorded::retry}, std::pair{90'000, recorded::retry}, std::pair{0, recorded::failed}}) {
    const auto claimed = must(store.claim(tenant, at, {}));
    REQUIRE(claimed.size() == 1);
    CHECK(must(store.record(tenant, at, {answered(claimed[0], 500)})).at(0) == what);
    CHECK(must(store.claim(tenant, at, {})).empty());
    at.value += wait;
  }
  CHECK(db.one("SELECT state || attempt FROM delivery") == "failed3");
  CHECK_FALSE(test::is_due(db, tenant));
}

TEST_CASE("410 disables the endpoint and gives up what waits for it, the neighbour goes on", "[alerting][f:8.2]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  const auto gone = add_endpoint(db, tenant, "http://gone.example/");
  add_endpoint(db, tenant, "http://live.example/");
  for (int i = 0; i < 3; ++i)
    add_candidate(db, tenant);
  postgres::pg_alert_store store(db.url(), "n");
  must(store.plan(tenant, later(0)));
  claim_limits one;
  one.per_endpoint = 1;
  for (const auto& c : must(store.claim(tenant, later(0), one)))
    CHECK(must(store.record(tenant, later(0), {answered(c, c.endpoint_id == gone ? 410 : 200)})).at(0) ==
          (c.endpoint_id == gone ? recorded::disabled : recorded::delivered));
  CHECK(db.one(fmt::format("SELECT state FROM endpoint WHERE endpoint_id = '{}'", gone.str())) == "disabled");
  CHECK(db.one(fmt::format("SELECT count(*) FROM delivery WHERE endpoint_id = '{}' AND state = 'failed'",
                           gone.str())) == "3");
  CHECK(must(store.claim(tenant, later(0), {})).size() == 2);
}

TEST_CASE("one endpoint gets no more than its share of a claim, and none while it is busy", "[alerting][f:8.8]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  const auto first = add_endpoint(db, tenant, "http://one.example/");
  const auto second = add_endpoint(db, tenant, "http://two.example/");
  for (int i = 0; i < 9; ++i)
    add_candidate(db, tenant);
  postgres::pg_alert_store store(db.url(), "n");
  must(store.plan(tenant, later(0)));
  claim_limits limits;
  limits.per_endpoint = 4;
  CHECK(must(store.claim(tenant, later(0), limits)).size() == 8);
  limits.busy = {first};
  for (const auto& c : must(store.claim(tenant, later(0), limits)))
    CHECK(c.endpoint_id == second);
}

TEST_CASE("alerting for one tenant neither sees nor changes another's", "[alerting][f:9.1]") {
  test::database db;
  const auto a = db.add_tenant("a");
  const auto b = db.add_tenant("b");
  add_endpoint(db, a, "http://a.example/");
  add_endpoint(db, b, "http://b.example/");
  add_candidate(db, a);
  add_candidate(db, b);
  postgres::pg_alert_store store(db.url(), "n");
  CHECK(must(store.plan(a, later(0))).told == 1);
  CHECK(db.one(fmt::format("SELECT state FROM alert WHERE tenant_id = {}", b.value)) == "new");
  must(store.plan(b, later(0)));
  const auto of_a = must(store.claim(a, later(0), {}));
  REQUIRE(of_a.size() == 1);
  CHECK(of_a[0].url == "http://a.example/");
  CHECK(must(store.record(b, later(0), {answered(of_a[0], 200)})).at(0) == recorded::stale);
  CHECK(db.one("SELECT count(*) FROM attempt") == "0");
}
