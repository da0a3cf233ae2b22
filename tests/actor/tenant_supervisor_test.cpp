// A tenant's supervisor over fakes: who waits, who is restarted and when, who goes to sleep.
#include <catch2/catch_test_macros.hpp>

#include "actors/ingestion/ingestion.hpp"
#include "actors/store_worker/store_worker.hpp"
#include "actors/tenant_supervisor/tenant_supervisor.hpp"
#include "tests/actor/actor_fixture.hpp"
#include "tests/support/fake_stores.hpp"

using namespace pulse;
using namespace std::chrono_literals;

namespace {

/// Stands where the node_agent stands, and keeps what it is told to remember.
struct agent_double {
  settings_ptr remembered;
};

node_agent_actor::behavior_type agent_behaviour(node_agent_actor::stateful_pointer<agent_double> self) {
  return {
      [](ingest_atom, const ingest_ptr&) {},
      [](supervisor_atom, tenant_id) -> caf::result<tenant_supervisor_actor> { return caf::sec::invalid_argument; },
      [](alert_atom, tenant_id) {},
      [self](settings_atom, tenant_id, const settings_ptr& fresh) { self->state.remembered = fresh; },
      [](train_atom, tenant_id, const std::string&) -> caf::result<training_ptr> { return caf::sec::invalid_argument; },
      [](control_atom, tenant_id, const control_ptr&) {},
      [](drain_atom) {},
      [](status_atom) -> caf::result<statuses_ptr> { return caf::sec::invalid_argument; },
      [](tick_atom) {},
  };
}

struct fixture : test::actor_fixture {
  fixture() {
    db->add_tenant(7, 2);
    ports->make_control_store = [this] {
      return std::make_unique<test::fake_control_store>(db);
    };
    agent = own(system->spawn(agent_behaviour));
    worker = own(system->spawn<store_worker>(context));
  }

  void spawn(settings_ptr last_known = {}) {
    supervisor =
        own(system->spawn<tenant_supervisor>(context, tenant_id{7}, agent, std::vector{worker}, std::move(last_known)));
  }

  std::shared_ptr<std::vector<ingest_reply>> send() {
    auto replies = std::make_shared<std::vector<ingest_reply>>();
    auto request = std::make_shared<ingest_request>();
    request->tenant = tenant_id{7};
    request->body = R"({"type":"track","event":"A","userId":"u"})";
    request->done = [replies](ingest_reply r) {
      replies->push_back(std::move(r));
    };
    caf::anon_send(supervisor, ingest_atom_v, std::move(request));
    run();
    return replies;
  }

  bool alive() {
    bool out = false;
    // A handle to an actor that ended answers with an error.
    system->spawn([&out, this](caf::event_based_actor* self) {
      self->request(supervisor, work_timeout, release_atom_v).then([&out] { out = true; }, [](const caf::error&) {});
    });
    run();
    return out;
  }

  tenant_supervisor_state& state() {
    return caf::actor_cast<tenant_supervisor*>(supervisor)->state;
  }

  std::shared_ptr<test::fake_database> db = std::make_shared<test::fake_database>();
  node_agent_actor agent;
  store_worker_actor worker;
  tenant_supervisor_actor supervisor;
};

} // namespace

TEST_CASE("a request waits for the settings and is then answered", "[supervisor]") {
  fixture f;
  f.spawn();
  const auto replies = f.send();
  REQUIRE(replies->size() == 1);
  CHECK_FALSE(replies->front().failed.has_value());
  CHECK(f.log.records(log_topic::raw, slot_id{2}).size() == 1);
}

TEST_CASE("a tenant that nothing is known of is told so while the store is away", "[supervisor]") {
  fixture f;
  f.db->away = true;
  f.spawn();
  const auto replies = f.send();
  REQUIRE(replies->size() == 1);
  REQUIRE(replies->front().failed.has_value());
  CHECK(replies->front().failed->code == ec::unavailable);
  CHECK(replies->front().retry_after_ms > 0);
}

TEST_CASE("a tenant that wakes while the store is away goes on with what was last known", "[supervisor][f:11.3]") {
  fixture f;
  f.spawn();
  f.send();
  const auto known =
      caf::actor_cast<caf::stateful_actor<agent_double, node_agent_actor::base>*>(f.agent)->state.remembered;
  REQUIRE(known);
  f.db->away = true;
  f.spawn(known);
  const auto replies = f.send();
  REQUIRE(replies->size() == 1);
  CHECK_FALSE(replies->front().failed.has_value());
}

TEST_CASE("a tenant without events sleeps after its idle time, one with events does not", "[supervisor][f:11.3]") {
  fixture f;
  f.ports->tenant_idle_ms = 5000;
  f.spawn();
  f.send();
  f.run_for(4s);
  f.send();
  f.run_for(4s);
  CHECK(f.alive());
  f.run_for(6s);
  CHECK_FALSE(f.alive());
}

TEST_CASE("ingestion that died is restarted after a delay that doubles, and requests wait", "[supervisor][f:11.4]") {
  fixture f;
  f.ports->tenant_idle_ms = 600'000;
  f.spawn();
  f.send();
  for (const auto delay : {200ms, 400ms, 800ms}) {
    INFO(delay.count());
    caf::anon_send_exit(f.state().ingestion_child, caf::exit_reason::kill);
    f.run();
    const auto waiting = f.send();
    CHECK(waiting->empty());
    f.run_for(delay - 100ms);
    f.send();
    CHECK(waiting->empty());
    // Waiting requests are looked at with the tick of a second at the latest.
    f.run_for(1200ms);
    CHECK(waiting->size() == 1);
  }
}

TEST_CASE("what waits is told when the supervisor ends", "[supervisor]") {
  fixture f;
  f.spawn();
  f.send();
  caf::anon_send_exit(f.state().ingestion_child, caf::exit_reason::kill);
  f.run();
  const auto waiting = f.send();
  CHECK(waiting->empty());
  caf::anon_send_exit(f.supervisor, caf::exit_reason::user_shutdown);
  f.run();
  REQUIRE(waiting->size() == 1);
  CHECK(waiting->front().failed->code == ec::unavailable);
}
