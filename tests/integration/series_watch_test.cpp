// The watch over metrics on a real database: from rollups to an alert that is due, each hour judged once.
#include <caf/all.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "actors/message_types.hpp"
#include "actors/series_watcher/series_watcher.hpp"
#include "models/detection/random.hpp"
#include "postgres/alert_admin.hpp"
#include "postgres/alert_store.hpp"
#include "postgres/series_store.hpp"
#include "tests/integration/support/alert_world.hpp"
#include "tests/integration/support/query_world.hpp"
#include "tests/support/fake_event_log.hpp"

using namespace pulse;
using test::must;

namespace {

const time_ms now = parse_time("2026-03-18T15:07:00Z").value();
constexpr int weeks = 5;

caf::actor_system_config& actor_config() {
  static caf::actor_system_config config = [] {
    register_message_types();
    caf::actor_system_config c;
    c.set("caf.scheduler.max-threads", 1);
    return c;
  }();
  return config;
}

/// Hourly rollups of two stores up to `now`, money in cents; store `stopped` had nothing in the last whole hour.
void add_history(test::database& db, tenant_id tenant, const std::string& stopped) {
  detection::random_stream random(5, 0);
  const auto end = now.value / hour_ms * hour_ms;
  std::string rows;
  const auto add = [&](const char* dim, const std::string& value, std::int64_t t, std::int64_t orders) {
    rows += fmt::format("{}({},'{}','{}','{}','EUR',{},{},{},0,0,0,0)", rows.empty() ? "" : ",", tenant.value, dim,
                        format_time({t}), value, 10 * orders, orders, 5'000 * orders);
  };
  for (auto t = end - weeks * 7 * day_ms; t < end; t += hour_ms) {
    const auto usual = 150 + 120 * std::sin((static_cast<double>(t / hour_ms % 24) - 8) / 24 * 6.2831853);
    std::int64_t all = 0;
    for (const auto* store : {"north", "south"}) {
      const auto n = std::llround(usual * (0.9 + 0.2 * random.uniform()));
      const auto orders = stopped == store && t == end - hour_ms ? 0 : n;
      add("store", store, t, orders);
      all += orders;
    }
    add("total", "", t, all);
  }
  db.sql("INSERT INTO rollup_quarter (tenant_id, dim, bucket, value, currency, events, orders, revenue_minor, "
         "refunds_minor, line_micro, anomalies, risk_milli) VALUES " +
         rows);
  db.sql(
      fmt::format("UPDATE tenant SET currency = 'EUR', timezone = 'Europe/Berlin' WHERE tenant_id = {}", tenant.value));
  db.sql(fmt::format("INSERT INTO due (tenant_id, kind, at) VALUES ({}, 'series', now())", tenant.value));
}

/// Makes one look as the node_agent does.
class looker {
public:
  explicit looker(const test::database& db) : time_(now), system_(actor_config()) {
    actor_context c{log_, metrics_, time_, system_random(), nullptr, {}, {}, {}, {}, 0, 0, 1, {}, nullptr, {}, {}};
    c.make_series_store = [url = db.url()] {
      return std::make_unique<postgres::pg_series_store>(url, "test");
    };
    context_ = std::make_shared<const actor_context>(std::move(c));
  }

  ~looker() {
    system_.await_all_actors_done();
  }

  std::int64_t look(tenant_id tenant) {
    std::int64_t found = -1;
    caf::scoped_actor self(system_);
    self->request(system_.spawn<series_watcher>(context_), std::chrono::minutes(2), watch_atom_v, tenant)
        .receive([&](std::int64_t n) { found = n; }, [](const caf::error& e) { FAIL(caf::to_string(e)); });
    return found;
  }

private:
  testing::fake_event_log log_{1};
  metrics metrics_;
  test::fixed_clock time_;
  caf::actor_system system_;
  context_ptr context_;
};

/// The alert of the last look as it would stand if it had come three days before, and the hours to be looked at again.
/// Its id is made of its begin.
uuid move_back(test::database& db, tenant_id tenant) {
  const auto id = system_random().next_uuid();
  db.sql(fmt::format("UPDATE alert SET alert_id = '{}', created_at = created_at - interval '3 days', data = "
                     "jsonb_set(data, '{{occurred_at}}', '\"2026-03-15T14:00:00.000Z\"') WHERE tenant_id = {} AND "
                     "created_at > now() - interval '1 day'",
                     id.str(), tenant.value));
  db.sql(fmt::format("DELETE FROM series_watch WHERE tenant_id = {}", tenant.value));
  return id;
}

} // namespace

TEST_CASE("a store that stops is told within the hour, once, with what it is made of", "[series][f:5.8]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  const auto calm = db.add_tenant("b");
  add_history(db, tenant, "south");
  add_history(db, calm, "");
  looker node(db);
  CHECK(node.look(tenant) == 1);
  CHECK(node.look(tenant) == 0);
  CHECK(node.look(calm) == 0);
  CHECK(db.one("SELECT count(*) FROM alert") == "1");
  CHECK(test::is_due(db, tenant));
  CHECK_FALSE(test::is_due(db, calm));
  const auto row = db.sql("SELECT type, state, data->>'occurred_at', data::text FROM alert").front();
  CHECK(row[0] == "metric.anomaly");
  CHECK(row[1] == "new");
  CHECK(row[2] == "2026-03-18T14:00:00.000Z");
  const auto data = nlohmann::json::parse(row[3]);
  CHECK(data["title"].get<std::string>().starts_with("2026-03-18 15:00 to 16:00: "));
  REQUIRE_FALSE(data["reasons"].empty());
  CHECK(data["reasons"][0]["name"] == "store=south");
  const auto number = [](const nlohmann::json& v) {
    return v.is_string() ? std::stod(v.get<std::string>()) : v.get<double>();
  };
  double sum = 0;
  for (const auto& r : data["reasons"])
    sum += number(r["contribution"]);
  CHECK(std::abs(sum - (number(data["value"]) - number(data["expected"]))) < 1e-6);
  CHECK(db.one(fmt::format("SELECT at > now() - interval '1 hour' FROM due WHERE tenant_id = {} AND kind = 'alert'",
                           tenant.value)) == "t");
  CHECK(db.one(fmt::format("SELECT to_char(at AT TIME ZONE 'UTC', 'HH24') FROM due WHERE tenant_id = {} AND kind = "
                           "'series'",
                           tenant.value)) == "16");
  // What alerting makes of it: told, with an incident.
  CHECK(must(postgres::pg_alert_store(db.url(), "n").plan(tenant, system_clock().now())).told == 1);
  CHECK(db.one("SELECT dedup_key FROM incident") == "metric.anomaly");
}

TEST_CASE("hours that were judged are not judged again, and a tenant without data is looked at later", "[series]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  const auto empty = db.add_tenant("empty");
  add_history(db, tenant, "south");
  postgres::pg_series_store store(db.url(), "test");
  const auto first = must(store.history(tenant, now, 8));
  CHECK(first.to == parse_time("2026-03-18T15:00:00Z").value());
  CHECK(first.currency == "EUR");
  REQUIRE(first.question.lines.size() == 7);
  CHECK(first.question.lines[0].segment.empty());
  for (const auto& l : first.question.lines)
    CHECK(l.values.size() == weeks * 168);
  CHECK(first.question.fresh == weeks * 168 - 24);
  // Berlin's clock goes forward on 29 March only.
  REQUIRE(first.question.zone.size() == 1);
  CHECK(first.question.zone[0].offset_ms == hour_ms);
  CHECK(must(store.conclude(tenant, first.to, {}, {now.value + hour_ms})) == 0);
  const auto second = must(store.history(tenant, now, 8));
  CHECK(second.question.fresh == weeks * 168);
  CHECK(series::watch(second.question).told.empty());
  CHECK(must(store.history(empty, now, 8)).question.lines.empty());
  looker node(db);
  CHECK(node.look(empty) == 0);
  CHECK(store.history(tenant_id{99'999}, now, 8).err().code == ec::not_found);
}

TEST_CASE("the like of a false alarm is held with a reason and told to nobody, until somebody says it was useful",
          "[series][f:5.9]") {
  test::database db;
  const auto tenant = db.add_tenant("a"), other = db.add_tenant("b");
  for (auto t : {tenant, other}) {
    add_history(db, t, "south");
    test::add_endpoint(db, t, "http://shop.example/");
  }
  looker node(db);
  postgres::pg_alert_admin admin(db.url(), "test");
  postgres::pg_alert_store alerting(db.url(), "test");
  const auto plan = [&] {
    return must(alerting.plan(tenant, {system_clock().now().value + 2 * hour_ms}));
  };
  REQUIRE(node.look(tenant) == 1);
  CHECK(plan().deliveries == 1);
  db.sql("UPDATE delivery SET state = 'delivered'");
  const auto first = move_back(db, tenant);
  CHECK(admin.judge(other, first, alert_verdict{false, ""}, "test").err().code == ec::not_found);
  REQUIRE(admin.judge(tenant, first, alert_verdict{false, "the sale ended"}, "test").ok());

  // Another tenant's words are nobody else's.
  CHECK(node.look(other) == 1);
  CHECK(node.look(tenant) == 0);
  const auto held =
      must(admin.alerts(tenant, {.from = {}, .to = {}, .types = {}, .severity = "", .state = "held"}, {}));
  REQUIRE(held.rows.size() == 1);
  CHECK(held.rows[0].held_reason.starts_with("feedback: "));
  CHECK(held.rows[0].feedback.empty());
  CHECK(must(admin.alert(tenant, first)).feedback.find("the sale ended") != std::string::npos);
  // Neither a delivery nor the hourly limit's summary, and nothing is due for it.
  const auto planned = plan();
  CHECK(planned.told + planned.summaries + planned.deliveries == 0);
  CHECK_FALSE(test::is_due(db, tenant));
  CHECK(db.one(fmt::format("SELECT count(*) FROM delivery WHERE tenant_id = {}", tenant.value)) == "1");
  // Looked at again, it is stored once and uses no budget.
  postgres::pg_series_store store(db.url(), "test");
  const auto again = must(store.history(tenant, now, 8)).question;
  CHECK(again.withheld.size() == 1);
  CHECK(again.told.size() == 1);
  CHECK(again.judged.size() == 1);
  db.sql("DELETE FROM series_watch");
  CHECK(node.look(tenant) == 0);
  CHECK(db.one(fmt::format("SELECT count(*) FROM alert WHERE tenant_id = {}", tenant.value)) == "2");

  const auto second = move_back(db, tenant);
  REQUIRE(admin.judge(tenant, second, alert_verdict{true, ""}, "test").ok());
  CHECK(node.look(tenant) == 1);
  CHECK(plan().deliveries == 1);
  const auto words = must(admin.judged(tenant, {0}, system_clock().now()));
  CHECK(words.withheld == 1);
  REQUIRE(words.words.size() == 2);
  CHECK(words.words[1].withheld);
  CHECK(words.words[0].line == words.words[1].line);
  CHECK(must(admin.judged(other, {0}, system_clock().now())).words.empty());
  // A word goes with its alert.
  db.sql("DELETE FROM alert");
  CHECK(db.one("SELECT count(*) FROM alert_feedback") == "0");
}

TEST_CASE("a word that is taken back, or on an alert that does not say how heavy it was, withholds nothing",
          "[series][f:5.9]") {
  test::database db;
  looker node(db);
  postgres::pg_alert_admin admin(db.url(), "test");
  for (const bool old : {false, true}) {
    const auto tenant = db.add_tenant(old ? "a" : "b");
    add_history(db, tenant, "south");
    REQUIRE(node.look(tenant) == 1);
    const auto first = move_back(db, tenant);
    REQUIRE(admin.judge(tenant, first, alert_verdict{false, ""}, "test").ok());
    if (old)
      db.sql("UPDATE alert SET data = data - 'weight'");
    else
      REQUIRE(admin.judge(tenant, first, std::nullopt, "test").ok());
    CHECK(node.look(tenant) == 1);
  }
}
