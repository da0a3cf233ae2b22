// Failed events sent again: what is taken is marked and not sent twice, what is refused stays, nobody else's is
// touched.
#include <catch2/catch_test_macros.hpp>

#include <fmt/format.h>
#include <future>
#include <nlohmann/json.hpp>

#include "http/handlers/failed_replay.hpp"
#include "postgres/failed_store.hpp"
#include "tests/integration/support/database.hpp"

using namespace pulse;
using namespace pulse::http;

namespace {

void add_failed(test::database& db, tenant_id tenant, int n, const std::string& body) {
  db.sql(fmt::format("INSERT INTO failed_event VALUES ({}, '019d3f{:02x}-0000-7000-8000-000000000000', '2026-03-30', "
                     "'store', 'poison', 'd', '', 'm-{}', NULL, 0, {}, convert_to('{}', 'UTF8'))",
                     tenant.value, n, n, n, body));
}

} // namespace

TEST_CASE("failed events are sent again once, and a dry run only counts them", "[query][f:2.9]") {
  test::database db;
  const auto a = db.add_tenant("a");
  const auto b = db.add_tenant("b");
  add_failed(db, a, 1, R"({"event":"A"})");
  add_failed(db, a, 2, "not json");
  add_failed(db, a, 3, R"({"event":"refused again"})");
  add_failed(db, a, 4, R"( {"event":"C"})");
  add_failed(db, b, 5, R"({"event":"theirs"})");
  worker_pool pool(1, 10);
  const auto stores = std::make_shared<store_pool<failed_store>>(
      pool, [&] { return std::make_unique<postgres::pg_failed_store>(db.url(), "test"); });
  std::vector<std::string> sent;
  const auto route = failed_replay_route(stores, [&](const ingest_ptr& request) {
    CHECK(request->tenant == a);
    sent.push_back(request->body);
    ingest_reply reply;
    const auto events = nlohmann::json::parse(request->body);
    for (std::size_t i = 0; i < events.size(); ++i) {
      ingest_reply::line line;
      line.said.index = i;
      line.said.result = events[i]["event"] == "refused again" ? verdict_result::rejected : verdict_result::ok;
      reply.lines.push_back(line);
    }
    request->done(reply);
  });
  const auto post = [&](const std::string& body, bool dry) {
    request in;
    in.method = "POST";
    in.body = body;
    in.who.tenant = a;
    if (dry)
      in.query = {{"dry_run", "true"}};
    std::promise<response> done;
    route.handle(std::move(in), [&done](response r) { done.set_value(std::move(r)); });
    return done.get_future().get();
  };
  CHECK(post("", true).body == R"({"count":4,"dry_run":true})");
  CHECK(sent.empty());
  CHECK(post(R"({"code":"poison"})", false).body == R"({"count":4,"accepted":2,"rejected":2,"dry_run":false})");
  REQUIRE(sent.size() == 1);
  CHECK(nlohmann::json::parse(sent.front()).size() == 3);
  CHECK(
      db.one("SELECT string_agg(message_id, ',' ORDER BY failed_id) FROM failed_event WHERE replayed_at IS NOT NULL") ==
      "m-1,m-4");
  CHECK(post("{}", true).body == R"({"count":2,"dry_run":true})");
  CHECK(post(R"({"ids":["019d3f05-0000-7000-8000-000000000000"]})", true).body == R"({"count":0,"dry_run":true})");
  const auto bad = post(R"({"from":"x","colour":"red","ids":[]})", false);
  CHECK(bad.status == 422);
  REQUIRE(bad.problem_body.has_value());
  CHECK(bad.problem_body->errors.size() == 3);
  CHECK(post("[1]", false).status == 422);
}
