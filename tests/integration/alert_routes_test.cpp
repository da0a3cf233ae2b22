// The routes of endpoints and alerts, asked as the gateway asks them, over a real database.
#include <future>
#include <nlohmann/json.hpp>
#include <set>

#include "http/handlers/alerts.hpp"
#include "http/handlers/openapi.hpp"
#include "postgres/alert_admin.hpp"
#include "tests/integration/support/alert_world.hpp"

using namespace pulse;
using http::request;
using http::response;

namespace {

class alert_gateway {
public:
  explicit alert_gateway(const test::database& db) : pool_(1, 100) {
    auto stores = std::make_shared<http::store_pool<alert_admin>>(
        pool_, [&db] { return std::make_unique<postgres::pg_alert_admin>(db.url(), "test"); });
    const http::alert_parts p{stores, system_random(), parse_cidrs("10.1.0.0/16").value(), [this](tenant_id t) {
                                woken.push_back(t);
                              }};
    for (const auto& make : {http::endpoint_routes(p), http::alert_routes(p), http::alert_admin_routes(p)})
      routes.insert(routes.end(), make.begin(), make.end());
  }

  response ask(tenant_id tenant, const std::string& method, const std::string& pattern, const std::string& body = "",
               const std::string& param = "", http::name_values query = {}) {
    for (const auto& r : routes) {
      if (r.method != method || r.pattern != pattern)
        continue;
      request in;
      in.method = method;
      in.body = body;
      in.who.tenant = tenant;
      in.query = std::move(query);
      in.params = {{"id", param}, {"tenant", param}};
      std::promise<response> answered;
      r.handle(std::move(in), [&](response a) { answered.set_value(std::move(a)); });
      return answered.get_future().get();
    }
    FAIL("no route " << method << " " << pattern);
    return {};
  }

  std::vector<http::route> routes;
  std::vector<tenant_id> woken;

private:
  worker_pool pool_;
};

nlohmann::json body_of(const response& r) {
  return nlohmann::json::parse(r.body);
}

} // namespace

TEST_CASE("an endpoint is made, shown without its secret, changed and removed", "[alerting][f:8.1]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  alert_gateway g(db);
  const auto made = g.ask(tenant, "POST", "/v1/endpoints",
                          R"({"kind":"webhook","url":"https://shop.example/h","types":["event.flagged"]})");
  REQUIRE(made.status == 201);
  CHECK(body_of(made)["secret"].get<std::string>().starts_with("whsec_"));
  const auto id = body_of(made)["id"].get<std::string>();
  const auto shown = g.ask(tenant, "GET", "/v1/endpoints/{id}", "", id);
  CHECK(body_of(shown)["url"] == "https://shop.example/h");
  CHECK(body_of(shown)["types"] == nlohmann::json{"event.flagged"});
  CHECK(shown.body.find("whsec_") == std::string::npos);
  CHECK(
      body_of(g.ask(tenant, "PATCH", "/v1/endpoints/{id}", R"({"types":[],"description":"x"})", id))["types"].empty());
  CHECK(body_of(g.ask(tenant, "POST", "/v1/endpoints/{id}/secret/rotate", "", id))["secret"] !=
        body_of(made)["secret"]);
  CHECK(g.ask(tenant, "POST", "/v1/endpoints/{id}/test", "", id).status == 202);
  CHECK(g.woken == std::vector{tenant});
  CHECK(db.one("SELECT count(*) FROM delivery") == "1");
  CHECK(body_of(g.ask(tenant, "GET", "/v1/alerts"))["data"].empty());
  const auto other = db.add_tenant("b");
  CHECK(g.ask(other, "GET", "/v1/endpoints/{id}", "", id).problem_body->status == 404);
  CHECK(g.ask(tenant, "DELETE", "/v1/endpoints/{id}", "", id).status == 204);
  CHECK(db.one("SELECT count(*) FROM delivery") == "0");
}

TEST_CASE("what an endpoint must not be is refused with a reason", "[alerting][f:8.4]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  alert_gateway g(db);
  const auto status = [&](const std::string& body) {
    const auto r = g.ask(tenant, "POST", "/v1/endpoints", body);
    return r.problem_body ? r.problem_body->status : r.status;
  };
  CHECK(status(R"({"url":"http://127.0.0.1:9/"})") == 422);
  CHECK(status(R"({"url":"http://[::1]/"})") == 422);
  CHECK(status(R"({"url":"http://169.254.169.254/latest"})") == 422);
  CHECK(status(R"({"url":"ftp://shop.example/"})") == 422);
  CHECK(status(R"({"kind":"slack","url":"https://shop.example/"})") == 422);
  CHECK(status(R"({"url":"https://shop.example/","types":["nonsense"]})") == 422);
  CHECK(status(R"({"url":7})") == 422);
  CHECK(status("[]") == 400);
  CHECK(status(R"({"url":"http://10.1.2.3/"})") == 201);
  const auto number = std::to_string(tenant.value);
  CHECK(g.ask(tenant, "PUT", "/admin/v1/tenants/{tenant}/webhook-allow", R"({"cidrs":["127.0.0.1/32"]})", number)
            .status == 200);
  CHECK(status(R"({"url":"http://127.0.0.1:9/"})") == 201);
  CHECK(g.ask(tenant, "PUT", "/admin/v1/tenants/{tenant}/webhook-allow", R"({"cidrs":["all"]})", number)
            .problem_body->status == 422);
}

TEST_CASE("alerts are listed newest first in pages, filtered, and counted before a replay", "[alerting][f:8.6]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  test::add_endpoint(db, tenant, "http://shop.example/");
  for (int i = 0; i < 5; ++i)
    test::add_candidate(db, tenant, i == 0 ? 99 : 92);
  postgres::pg_alert_store store(db.url(), "n");
  test::must(store.plan(tenant, system_clock().now()));
  alert_gateway g(db);
  std::set<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 3; ++page) {
    const auto answer = body_of(g.ask(tenant, "GET", "/v1/alerts", "", "", {{"limit", "2"}, {"cursor", cursor}}));
    for (const auto& a : answer["data"])
      CHECK(seen.insert(a["id"]).second);
    CHECK(answer["has_more"] == (page < 2));
    cursor = answer["next_cursor"].is_null() ? "" : answer["next_cursor"].get<std::string>();
  }
  CHECK(seen.size() == 5);
  CHECK(body_of(g.ask(tenant, "GET", "/v1/alerts", "", "", {{"severity", "critical"}}))["data"].size() == 1);
  CHECK(g.ask(tenant, "GET", "/v1/alerts", "", "", {{"cursor", "!"}}).problem_body->status == 422);
  CHECK(body_of(g.ask(tenant, "GET", "/v1/alerts/{id}", "", *seen.begin()))["data"]["alert_id"] == *seen.begin());
  const auto range = R"({"from":"2020-01-01T00:00:00Z","to":"2100-01-01T00:00:00Z"})";
  const auto counted = g.ask(tenant, "POST", "/v1/alerts/replay", range, "", {{"dry_run", "true"}});
  CHECK(body_of(counted)["count"] == 5);
  CHECK(g.woken.empty());
  // What waits already is hurried, not doubled.
  CHECK(body_of(g.ask(tenant, "POST", "/v1/alerts/replay", range))["count"] == 5);
  CHECK(db.one("SELECT count(*) FROM delivery") == "5");
  CHECK(g.ask(tenant, "POST", "/v1/alerts/replay", "{}").problem_body->status == 422);
}

TEST_CASE("a metric alert is judged, the last word counts, and what the words did is reported", "[alerting][f:5.9]") {
  test::database db;
  const auto tenant = db.add_tenant("a"), other = db.add_tenant("b");
  const auto flagged = test::add_candidate(db, tenant).str();
  // Three alike, a day apart; the third was withheld.
  std::vector<std::string> ids;
  for (int days : {3, 2, 1}) {
    ids.push_back(system_random().next_uuid().str());
    db.sql(
        fmt::format("INSERT INTO alert (tenant_id, alert_id, created_at, type, severity, title, summary, data, state, "
                    "held_reason) VALUES ({}, '{}', now() - interval '{} days', 'metric.anomaly', 'warning', 't', 's', "
                    "'{{\"metric\":\"orders\",\"segment\":null,\"direction\":\"down\",\"weight\":2}}', {})",
                    tenant.value, ids.back(), days, days == 1 ? "'held', 'feedback: x'" : "'told', NULL"));
  }
  alert_gateway g(db);
  const auto path = "/v1/alerts/{id}/feedback";
  const auto judge = [&](const std::string& id, const std::string& body) {
    return g.ask(tenant, "POST", path, body, id);
  };
  const auto bad = [&](const std::string& body) {
    const auto r = judge(ids[0], body);
    REQUIRE(r.problem_body);
    return fmt::format("{} {}", r.problem_body->status,
                       r.problem_body->errors.empty() ? "" : r.problem_body->errors[0].pointer);
  };
  CHECK(bad("{}") == "422 /verdict");
  CHECK(bad(R"({"verdict":"perhaps"})") == "422 /verdict");
  CHECK(bad(R"({"verdict":true})") == "422 /verdict");
  CHECK(bad(R"({"verdict":"useful","note":7})") == "422 /note");
  CHECK(bad("[]") == "400 ");
  CHECK(judge(flagged, R"({"verdict":"useful"})").problem_body->status == 409);
  CHECK(judge("none", R"({"verdict":"useful"})").problem_body->status == 404);
  CHECK(g.ask(other, "POST", path, R"({"verdict":"useful"})", ids[0]).problem_body->status == 404);
  CHECK(db.one("SELECT count(*) FROM alert_feedback") == "0");

  CHECK(body_of(judge(ids[0], R"({"verdict":"useful"})"))["feedback"]["verdict"] == "useful");
  const auto said = body_of(judge(ids[0], R"({"verdict":"false_alarm","note":"a sale"})"));
  CHECK(said["feedback"]["verdict"] == "false_alarm");
  CHECK(said["feedback"]["note"] == "a sale");
  CHECK(said["feedback"]["by"] == "admin");
  CHECK(body_of(judge(ids[0], R"({"verdict":"false_alarm","note":"a sale"})")) == said);
  CHECK(body_of(g.ask(tenant, "GET", "/v1/alerts/{id}", "", ids[0])) == said);
  CHECK(db.one("SELECT string_agg(detail->>'verdict', ',' ORDER BY at) FROM audit WHERE action = 'judge alert'") ==
        "useful,false_alarm");
  // Given a day after the first: it was there for the two that came later.
  db.sql("UPDATE alert_feedback SET judged_at = now() - interval '60 hours'");
  judge(ids[1], R"({"verdict":"false_alarm"})");
  judge(ids[2], R"({"verdict":"useful"})");
  const auto listed = body_of(g.ask(tenant, "GET", "/v1/alerts", "", "", {{"state", "held"}}))["data"];
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["held_reason"] == "feedback: x");
  CHECK(listed[0]["feedback"]["verdict"] == "useful");
  CHECK(g.ask(tenant, "GET", "/v1/alerts", "", "", {{"state", "lost"}}).problem_body->status == 422);

  const auto q = body_of(g.ask(tenant, "GET", "/v1/alerts/feedback"));
  CHECK(q["judged"] == nlohmann::json{{"useful", 1}, {"false_alarm", 2}});
  CHECK(q["precision"] == 0);
  CHECK(q["withheld"] == 1);
  CHECK(q["withheld_judged"] == nlohmann::json{{"useful", 1}, {"false_alarm", 0}});
  CHECK(q["repeats_cut"]["count"] == 1);
  CHECK(q["repeats_cut"]["of"] == 1);
  CHECK(q["recall_loss"]["share"] == 1);
  CHECK(q["recall_loss"]["interval"][0].get<double>() > 0.2);
  CHECK(body_of(g.ask(other, "GET", "/v1/alerts/feedback"))["recall_loss"]["share"].is_null());
  CHECK(g.ask(tenant, "GET", "/v1/alerts/feedback", "", "", {{"from", "2100-01-01T00:00:00Z"}}).problem_body->status ==
        422);
  CHECK(body_of(judge(ids[0], R"({"verdict":null})"))["feedback"].is_null());
  CHECK(body_of(g.ask(tenant, "GET", "/v1/alerts/feedback"))["judged"]["false_alarm"] == 1);
}

TEST_CASE("the routes of endpoints and alerts are those of the document", "[alerting][openapi]") {
  test::database db;
  const alert_gateway g(db);
  for (const auto& difference : http::compare_with_openapi(g.routes)) {
    INFO(difference);
    const bool ours =
        difference.find("/v1/endpoints") != std::string::npos || difference.find("/v1/alerts") != std::string::npos;
    CHECK_FALSE(ours);
  }
}
