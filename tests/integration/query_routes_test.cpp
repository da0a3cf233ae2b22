// The query routes over a real Postgres: shapes of the answers, problems, and the document of the routes.
#include <catch2/catch_test_macros.hpp>

#include <fmt/format.h>
#include <future>
#include <nlohmann/json.hpp>

#include "http/handlers/openapi.hpp"
#include "http/handlers/query.hpp"
#include "tests/integration/support/query_world.hpp"

using namespace pulse;
using namespace pulse::http;

namespace {

class door {
public:
  explicit door(test::query_world& world) :
    pool_(1, 10),
    stores_(std::make_shared<store_pool<query_store>>(
        pool_,
        [&] {
          return std::make_unique<postgres::pg_query_store>(postgres::query_config{world.db.url(), "test"}, world.time);
        })),
    routes_(query_routes(stores_, world.time)) {
  }

  const std::vector<route>& routes() const {
    return routes_;
  }

  response get(tenant_id who, const std::string& pattern, name_values params, name_values query = {}) {
    request in;
    in.method = "GET";
    in.who.tenant = who;
    in.params = std::move(params);
    in.query = std::move(query);
    const auto at = std::find_if(routes_.begin(), routes_.end(), [&](const auto& r) { return r.pattern == pattern; });
    REQUIRE(at != routes_.end());
    std::promise<response> done;
    at->handle(std::move(in), [&done](response r) { done.set_value(std::move(r)); });
    return done.get_future().get();
  }

  nlohmann::json json(tenant_id who, const std::string& pattern, name_values params, name_values query = {}) {
    const auto r = get(who, pattern, std::move(params), std::move(query));
    INFO(r.body << (r.problem_body ? r.problem_body->detail : ""));
    REQUIRE(r.status == 200);
    return nlohmann::json::parse(r.body);
  }

private:
  worker_pool pool_;
  std::shared_ptr<store_pool<query_store>> stores_;
  std::vector<route> routes_;
};

std::vector<std::string> names_of(const nlohmann::json& object) {
  std::vector<std::string> out;
  for (const auto& [name, value] : object.items())
    out.push_back(name);
  return out;
}

} // namespace

TEST_CASE("a metric is answered in its shape, money as text and counts as numbers", "[query][f:7.1]") {
  test::query_world world(29, 150);
  door d(world);
  const auto list = d.json(world.a, "/v1/metrics", {});
  CHECK(list["data"].size() == 10);
  const name_values range = {{"from", "2026-03-27T00:00:00Z"}, {"to", "2026-04-01T00:00:00Z"}, {"granularity", "day"}};
  const auto orders = d.json(world.a, "/v1/metrics/{metric}", {{"metric", "orders"}}, range);
  CHECK(orders["metric"] == "orders");
  CHECK(orders["unit"] == "orders");
  CHECK(orders["timezone"] == "UTC");
  CHECK(orders["source"] == "rollup");
  REQUIRE(orders["series"].size() == 1);
  CHECK(orders["series"][0]["group"] == nlohmann::json::object());
  REQUIRE(orders["series"][0]["points"].size() == 5);
  CHECK(orders["series"][0]["points"][0]["t"] == "2026-03-27T00:00:00.000Z");
  CHECK(orders["total"].is_number_integer());
  CHECK(parse_time(orders["fresh_until"].get<std::string>()).has_value());
  auto grouped = range;
  grouped.emplace_back("group_by", "country");
  const auto revenue = d.json(world.a, "/v1/metrics/{metric}", {{"metric", "revenue"}}, grouped);
  CHECK(revenue["unit"] == "EUR");
  CHECK(revenue["total"].is_string());
  CHECK(revenue["series"][0]["group"]["country"] == "FR");
  CHECK(revenue["series"].back()["group"]["country"].is_null());
  CHECK(revenue["other_currencies"][0]["currency"] == "USD");
  const auto conversion = d.json(world.a, "/v1/metrics/{metric}", {{"metric", "conversion"}}, range);
  CHECK(conversion["source"] == "events");
  CHECK(conversion["total"].is_number());
}

TEST_CASE("what is wrong with a question is a 422 with every place, and what is not there a 404", "[query][f:7.1]") {
  test::query_world world(31, 2);
  door d(world);
  const auto bad = d.get(world.a, "/v1/metrics/{metric}", {{"metric", "events"}}, {{"from", "x"}, {"group_by", "y"}});
  CHECK(bad.status == 422);
  REQUIRE(bad.problem_body.has_value());
  CHECK(bad.problem_body->errors.size() == 2);
  CHECK(d.get(world.a, "/v1/metrics/{metric}", {{"metric", "nothing"}}).status == 404);
  CHECK(d.get(world.a, "/v1/metrics/{metric}", {{"metric", "events"}}, {{"timezone", "Mars/Base"}}).status == 422);
  CHECK(d.get(world.a, "/v1/events", {}, {{"cursor", "AAAA"}, {"limit", "0"}, {"colour", "red"}}).status == 422);
  CHECK(d.get(world.a, "/v1/events/{id}", {{"id", "no-uuid"}}).status == 404);
  const auto theirs =
      std::find_if(world.stored.begin(), world.stored.end(), [&](const auto& p) { return p.tenant == world.b; });
  CHECK(d.get(world.a, "/v1/events/{id}", {{"id", theirs->event.id.str()}}).status == 404);
  CHECK(d.get(world.a, "/v1/events/{id}/trail", {{"id", theirs->event.id.str()}}).status == 404);
  CHECK(d.get(world.a, "/v1/events/{id}/trail", {{"id", std::string("a\0b", 3)}}).status == 404);
}

TEST_CASE("events are paged, read and followed with the fields of the contract", "[query][f:7.2][f:2.9]") {
  test::query_world world(37, 40);
  door d(world);
  std::size_t seen = 0;
  name_values query = {{"limit", "9"}, {"sort", "time"}};
  nlohmann::json last;
  for (;;) {
    const auto page = d.json(world.a, "/v1/events", {}, query);
    seen += page["data"].size();
    last = page["data"].back();
    if (!page["has_more"].get<bool>()) {
      CHECK(page["next_cursor"].is_null());
      break;
    }
    query = {{"limit", "9"}, {"sort", "time"}, {"cursor", page["next_cursor"].get<std::string>()}};
  }
  const auto mine = std::count_if(world.stored.begin(), world.stored.end(),
                                  [&](const auto& p) { return p.tenant == world.a && !p.event.test; });
  CHECK(seen == static_cast<std::size_t>(mine));
  const auto id = last["id"].get<std::string>();
  const auto one = d.json(world.a, "/v1/events/{id}", {{"id", id}});
  CHECK(one == last);
  CHECK(names_of(one) ==
        std::vector<std::string>{"amount",     "anonymous_id", "bot",         "browser",  "campaign", "city",
                                 "context",    "country",      "customer",    "device",   "id",       "label",
                                 "message_id", "name",         "occurred_at", "order_id", "os",       "products",
                                 "properties", "provenance",   "received_at", "referrer", "region",   "risk",
                                 "store",      "type",         "warnings"});
  CHECK(names_of(one["risk"]) ==
        std::vector<std::string>{"anomaly", "degraded", "level", "model", "outcome", "parts", "score"});
  const auto trail = d.json(world.a, "/v1/events/{id}/trail", {{"id", id}});
  CHECK(trail["id"] == id);
  std::vector<std::string> stages;
  for (const auto& s : trail["steps"]) {
    CHECK(names_of(s) == std::vector<std::string>{"at", "decision", "detail", "node", "stage"});
    stages.push_back(s["stage"]);
  }
  if (stages.back() == "alert")
    stages.pop_back();
  CHECK(stages == std::vector<std::string>{"received", "logged", "enriched", "scored", "stored", "counted"});
}

TEST_CASE("a failed event's body is text where it is UTF-8, and base64 where it is not", "[query][f:2.9]") {
  test::query_world world(41, 1);
  door d(world);
  for (const auto& [n, body] : {std::pair{1, "7b22c3a9227d"}, std::pair{2, "eda080"}, std::pair{3, "00ff"}})
    world.db.sql(fmt::format("INSERT INTO failed_event VALUES ({}, '019d3f{:02x}-0000-7000-8000-000000000000', "
                             "'2026-03-30', 'ingestion', 'bad_json', 'd', '/x', 'lost', NULL, 0, 7, '\\x{}')",
                             world.a.value, n, body));
  const auto page = d.json(world.a, "/v1/failed-events", {})["data"];
  REQUIRE(page.size() == 3);
  CHECK(page[2]["body"] == "{\"é\"}");
  CHECK(page[2]["encoding"] == "text");
  CHECK(page[1]["encoding"] == "base64");
  CHECK(page[0]["body"] == "AP8=");
  const auto trail = d.json(world.a, "/v1/events/{id}/trail",
                            {
                                {"id", "lost"},
                            },
                            {{"from", "2026-01-01T00:00:00Z"}, {"to", "2026-12-01T00:00:00Z"}});
  CHECK(trail["steps"].back()["stage"] == "failed");
  CHECK(trail["steps"].back()["detail"]["code"] == "bad_json");
  const auto limits = d.json(world.a, "/v1/limits", {});
  CHECK(limits["rate"] == 1000);
  CHECK(limits["use"]["stored"] == 1);
}

TEST_CASE("the query routes are in the document with their scope", "[query][openapi]") {
  test::query_world world(43, 1);
  door d(world);
  for (const auto& difference : compare_with_openapi(d.routes()))
    CHECK(difference.starts_with("missing"));
}
