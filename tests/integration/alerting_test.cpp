// The alerting actor with a real database, the real sender and real receivers: what a receiver gets, and when.
#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "actors/alerting/alerting.hpp"
#include "actors/message_types.hpp"
#include "actors/store_worker/store_worker.hpp"
#include "delivery/webhook_sender.hpp"
#include "postgres/alert_admin.hpp"
#include "postgres/control_store.hpp"
#include "tests/integration/support/alert_world.hpp"
#include "tests/support/fake_event_log.hpp"

using namespace pulse;
using test::add_candidate;
using test::add_endpoint;
using test::http_answer;
using test::must;
using test::request_box;
using test::test_receiver;

namespace {

caf::actor_system_config& actor_config() {
  static caf::actor_system_config config = [] {
    register_message_types();
    caf::actor_system_config c;
    c.set("caf.scheduler.max-threads", 2);
    return c;
  }();
  return config;
}

/// A node's alerting for one tenant. `kick` is what the finder of due work does every second.
class alerting_node {
public:
  alerting_node(test::database& db, tenant_id tenant) : sender_(allow_loopback()), system_(actor_config()) {
    actor_context c{log_, metrics_, system_clock(), system_random(), nullptr, {}, {}, {}, {}, 0, 0, 1, {}, &sender_,
                    {},   {}};
    const auto url = db.url();
    c.make_control_store = [url] {
      return std::make_unique<postgres::pg_control_store>(url, "test");
    };
    c.make_alert_store = [url] {
      alert::retry_config retry;
      retry.delays_ms = {100, 100, 100};
      return std::make_unique<postgres::pg_alert_store>(url, "test", retry);
    };
    c.public_url = "https://pulse.example";
    context_ptr context = std::make_shared<const actor_context>(std::move(c));
    worker_ = system_.spawn<store_worker, caf::detached>(context);
    alerting_ = system_.spawn<alerting>(context, tenant, worker_);
  }

  ~alerting_node() {
    caf::anon_send_exit(alerting_, caf::exit_reason::kill);
    caf::anon_send_exit(worker_, caf::exit_reason::user_shutdown);
    alerting_ = nullptr;
    worker_ = nullptr;
    system_.await_all_actors_done();
  }

  void kick() {
    caf::anon_send(alerting_, alert_atom_v);
  }

private:
  static delivery::webhook_config allow_loopback() {
    delivery::webhook_config w;
    w.allow = parse_cidrs("127.0.0.0/8").value();
    return w;
  }

  testing::fake_event_log log_{1};
  metrics metrics_;
  delivery::webhook_sender sender_;
  caf::actor_system system_;
  store_worker_actor worker_;
  alerting_actor alerting_;
};

/// Kicks until it is so, with a deadline.
template <class Ready>
void kick_until(alerting_node& node, Ready ready) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (!ready() && std::chrono::steady_clock::now() < end) {
    node.kick();
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
  }
  REQUIRE(ready());
}

std::function<bool()> nothing_due(test::database& db, tenant_id tenant) {
  return [&db, tenant] {
    return !test::is_due(db, tenant);
  };
}

} // namespace

TEST_CASE("a receiver gets the signed alert, again under one id after a 500, and on every resend and replay",
          "[alerting][f:8.1][f:8.12]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  request_box box;
  test_receiver receiver([&](const std::string& request) {
    box.put(request);
    return http_answer(box.count() == 1 ? "500 Oops" : "200 OK");
  });
  add_endpoint(db, tenant, receiver.url());
  const auto id = add_candidate(db, tenant);
  alerting_node node(db, tenant);
  kick_until(node, nothing_due(db, tenant));
  postgres::pg_alert_admin admin(db.url(), "test");
  CHECK(must(admin.resend(tenant, id, false, "t")) == 1);
  kick_until(node, nothing_due(db, tenant));
  alert_filter all;
  all.from = time_ms{system_clock().now().value - hour_ms};
  all.to = time_ms{system_clock().now().value + hour_ms};
  CHECK(must(admin.replay(tenant, all, std::nullopt, true, "t")) == 1);
  CHECK(must(admin.replay(tenant, all, std::nullopt, false, "t")) == 1);
  kick_until(node, nothing_due(db, tenant));
  const auto got = box.wait(4);
  REQUIRE(got.size() == 4);
  const auto now_s = system_clock().now().value / second_ms;
  for (const auto& r : got) {
    CHECK(test::header_of(r, "webhook-id") == "msg_" + id.str());
    CHECK(alert::verify(test::test_secret(), test::header_of(r, "webhook-id"), test::header_of(r, "webhook-timestamp"),
                        test::header_of(r, "webhook-signature"), test::body_of(r), now_s));
    CHECK(test::header_of(r, "traceparent").substr(3, 32) ==
          trace_id{must(uuid::parse(db.one("SELECT trace_id FROM alert")))}.hex());
    CHECK(test::body_of(r) == test::body_of(got[0]));
  }
  CHECK(test::header_of(got[1], "webhook-replay").empty());
  CHECK(test::header_of(got[2], "webhook-replay") == "true");
  CHECK(test::header_of(got[3], "webhook-replay") == "true");
  const auto body = nlohmann::json::parse(test::body_of(got[0]));
  CHECK(body["type"] == "event.flagged");
  CHECK(body["data"]["alert_id"] == id.str());
  CHECK(body["data"]["incident_id"] == db.one("SELECT incident_id FROM incident"));
  CHECK(body["data"]["url"] == "https://pulse.example/v1/alerts/" + id.str());
  CHECK(db.one("SELECT string_agg(outcome, ',' ORDER BY at, attempt) FROM attempt") ==
        "retry,delivered,delivered,delivered");
}

TEST_CASE("a dead endpoint does not delay a live one, and none of many is lost", "[alerting][f:8.8]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  request_box box;
  test_receiver live([&](const std::string& request) {
    box.put(request);
    return http_answer("200 OK");
  });
  test_receiver dead([](const std::string&) { return std::string(); });
  add_endpoint(db, tenant, dead.url());
  add_endpoint(db, tenant, live.url());
  std::set<std::string> ids;
  for (int i = 0; i < 40; ++i)
    ids.insert("msg_" + add_candidate(db, tenant, 92, "metric.anomaly").str());
  alerting_node node(db, tenant);
  kick_until(node, [&] { return box.count() >= 40; });
  // One after the other, the dead one would have held them up for 15 s each.
  std::set<std::string> told;
  for (const auto& r : box.wait(40))
    told.insert(test::header_of(r, "webhook-id"));
  CHECK(told == ids);
}

TEST_CASE("killed between claim and record, the next one tells it under the same id", "[alerting][f:8.12]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  request_box box;
  test_receiver receiver([&](const std::string& request) {
    box.put(request);
    return http_answer("200 OK");
  });
  add_endpoint(db, tenant, receiver.url());
  const auto id = add_candidate(db, tenant);
  {
    // Claims and dies before anything is recorded.
    postgres::pg_alert_store store(db.url(), "killed");
    const auto now = time_ms{system_clock().now().value - 5 * minute_ms};
    must(store.plan(tenant, now));
    REQUIRE(must(store.claim(tenant, now, {})).size() == 1);
  }
  alerting_node node(db, tenant);
  kick_until(node, nothing_due(db, tenant));
  CHECK(test::header_of(box.wait(1)[0], "webhook-id") == "msg_" + id.str());
  CHECK(db.one("SELECT state || attempt FROM delivery") == "delivered2");
}

TEST_CASE("410 disables, recover sends what was missed, a rotated secret signs beside the new one",
          "[alerting][f:8.2][f:8.6]") {
  test::database db;
  const auto tenant = db.add_tenant("a");
  request_box box;
  std::atomic<bool> gone{true};
  test_receiver receiver([&](const std::string& request) {
    box.put(request);
    return http_answer(gone ? "410 Gone" : "200 OK");
  });
  const auto endpoint = add_endpoint(db, tenant, receiver.url());
  const auto first = add_candidate(db, tenant);
  alerting_node node(db, tenant);
  postgres::pg_alert_admin admin(db.url(), "test");
  kick_until(node, nothing_due(db, tenant));
  CHECK(must(admin.endpoint(tenant, endpoint)).disabled);
  // While it is disabled alerts are told to nobody.
  const auto second = add_candidate(db, tenant);
  kick_until(node, nothing_due(db, tenant));
  CHECK(box.count() == 1);
  CHECK(admin.test_endpoint(tenant, endpoint, "t").err().code == ec::conflict);
  gone = false;
  const auto fresh = alert::webhook_secret::make(system_random());
  REQUIRE(admin.rotate_secret(tenant, endpoint, fresh.str(), "t").ok());
  CHECK(must(admin.recover(tenant, endpoint, {}, false, "t")) == 2);
  kick_until(node, nothing_due(db, tenant));
  const auto got = box.wait(3);
  CHECK(std::set{test::header_of(got[1], "webhook-id"), test::header_of(got[2], "webhook-id")} ==
        std::set{"msg_" + first.str(), "msg_" + second.str()});
  for (const auto& secret : {fresh, test::test_secret()})
    CHECK(alert::verify(secret, test::header_of(got[2], "webhook-id"), test::header_of(got[2], "webhook-timestamp"),
                        test::header_of(got[2], "webhook-signature"), test::body_of(got[2]),
                        system_clock().now().value / second_ms));
  CHECK(must(admin.recover(tenant, endpoint, {}, false, "t")) == 0);
}

TEST_CASE("a private address is tried in vain unless the tenant itself is allowed it", "[alerting][f:8.4]") {
  test::database db;
  const auto allowed = db.add_tenant("demo");
  postgres::pg_alert_admin admin(db.url(), "test");
  REQUIRE(admin.set_networks(allowed, "127.0.0.1/32", "t").ok());
  const auto other = db.add_tenant("b");
  CHECK(must(admin.networks(allowed)) == "127.0.0.1/32");
  CHECK(must(admin.networks(other)).empty());
  postgres::pg_alert_store store(db.url(), "n");
  for (auto t : {allowed, other}) {
    add_endpoint(db, t, "http://127.0.0.1:9/");
    add_candidate(db, t);
    must(store.plan(t, system_clock().now()));
    const auto claimed = must(store.claim(t, system_clock().now(), {}));
    REQUIRE(claimed.size() == 1);
    CHECK(claimed[0].allow == (t == allowed ? "127.0.0.1/32" : ""));
  }
}

TEST_CASE("one tenant's endpoints, alerts and attempts are not there for another", "[alerting][f:9.1]") {
  test::database db;
  const auto a = db.add_tenant("a");
  const auto b = db.add_tenant("b");
  const auto endpoint = add_endpoint(db, a, "http://a.example/");
  const auto id = add_candidate(db, a);
  postgres::pg_alert_store store(db.url(), "n");
  must(store.plan(a, system_clock().now()));
  postgres::pg_alert_admin admin(db.url(), "test");
  CHECK(must(admin.endpoints(b)).empty());
  CHECK(must(admin.alerts(b, {}, {})).rows.empty());
  CHECK(must(admin.alerts(a, {}, {})).rows.size() == 1);
  for (const auto code :
       {admin.endpoint(b, endpoint).err().code, admin.alert(b, id).err().code,
        admin.update_endpoint(b, endpoint, {}, "t").err().code, admin.delete_endpoint(b, endpoint, "t").err().code,
        admin.rotate_secret(b, endpoint, "x", "t").err().code, admin.test_endpoint(b, endpoint, "t").err().code,
        admin.attempts(b, endpoint, {}, {}).err().code, admin.resend(b, id, false, "t").err().code,
        admin.recover(b, endpoint, {}, false, "t").err().code, admin.replay(b, {}, endpoint, false, "t").err().code})
    CHECK(code == ec::not_found);
  CHECK(admin.endpoint(a, endpoint).ok());
  CHECK(db.one(fmt::format("SELECT count(*) FROM due WHERE tenant_id = {}", b.value)) == "0");
}
