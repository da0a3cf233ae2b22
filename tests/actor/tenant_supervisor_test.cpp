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

/// Stands where the node_agent stands: keeps what it is told to remember, and makes children as a node does.
struct agent_double {
  settings_ptr remembered;
  ingestion_actor child;
  int made = 0;
  std::int64_t newest_owner = 0;
};

node_agent_actor::behavior_type agent_behaviour(node_agent_actor::stateful_pointer<agent_double> self,
                                                context_ptr context) {
  self->set_down_handler([self](const caf::down_msg&) { self->state.child = nullptr; });
  return {
      [self, context](host_atom, const ingestion_order& order) -> caf::result<ingestion_actor> {
        auto& here = self->state;
        if (order.owner.value < here.newest_owner)
          return caf::sec::invalid_argument;
        here.newest_owner = order.owner.value;
        if (!here.child) {
          here.child = self->spawn<ingestion, caf::monitored>(context, order.settings);
          ++here.made;
        }
        return here.child;
      },
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
    agent = own(system->spawn(agent_behaviour, context));
    worker = own(system->spawn<store_worker>(context));
  }

  void spawn(settings_ptr last_known = {}) {
    supervisor =
        own(system->spawn<tenant_supervisor>(context, tenant_id{7}, agent, std::vector{worker}, std::move(last_known)));
  }

  /// That node's gateway sees the tenant; what the supervisor said so far.
  std::shared_ptr<std::vector<std::string>> attend(const std::string& node = "here", std::int64_t owner = 1) {
    auto said = std::make_shared<std::vector<std::string>>();
    system->spawn([said, node, owner, this](caf::event_based_actor* self) {
      self->request(supervisor, work_timeout, attend_atom_v, node, child_host_actor(agent), owner)
          .then([said] { said->push_back("there"); },
                [said](const caf::error& e) { said->push_back(caf::to_string(e)); });
    });
    run();
    return said;
  }

  agent_double& node() {
    return caf::actor_cast<caf::stateful_actor<agent_double, node_agent_actor::base>*>(agent)->state;
  }

  ingestion_state& child() {
    return caf::actor_cast<ingestion*>(node().child)->state;
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

TEST_CASE("a node that asks waits for the settings and then has its child", "[supervisor]") {
  fixture f;
  f.spawn();
  CHECK(*f.attend() == std::vector<std::string>{"there"});
  REQUIRE(f.node().child);
  CHECK(f.child().settings.slot == slot_id{2});
}

TEST_CASE("of a tenant that nothing is known of a node is told so while the store is away", "[supervisor]") {
  fixture f;
  f.db->away = true;
  f.spawn();
  const auto said = f.attend();
  REQUIRE(said->size() == 1);
  CHECK(said->front().find("settings cannot be read") != std::string::npos);
  CHECK_FALSE(f.node().child);
}

TEST_CASE("a tenant that wakes while the store is away goes on with what was last known", "[supervisor][f:11.3]") {
  fixture f;
  f.spawn();
  f.attend();
  const auto known = f.node().remembered;
  REQUIRE(known);
  f.db->away = true;
  f.spawn(known);
  CHECK(*f.attend() == std::vector<std::string>{"there"});
}

TEST_CASE("a supervisor without children sleeps after its idle time, one with a child does not",
          "[supervisor][f:11.3]") {
  fixture f;
  f.ports->tenant_idle_ms = 5000;
  f.spawn();
  f.attend();
  f.run_for(8s);
  CHECK(f.alive());
  // As a node does with a child that had nothing to do.
  caf::anon_send_exit(f.node().child, caf::exit_reason::user_shutdown);
  f.run_for(2s);
  CHECK_FALSE(f.alive());
  CHECK(f.node().made == 1);
}

TEST_CASE("ingestion that died is made again after a delay that doubles", "[supervisor][f:11.4]") {
  fixture f;
  f.spawn();
  f.attend();
  for (const auto delay : {200ms, 400ms, 800ms}) {
    INFO(delay.count());
    caf::anon_send_exit(f.node().child, caf::exit_reason::kill);
    f.run();
    CHECK_FALSE(f.node().child);
    const auto waits = f.attend();
    f.run_for(delay - 100ms);
    CHECK_FALSE(f.node().child);
    CHECK(waits->empty());
    f.run_for(150ms);
    CHECK(f.node().child);
    CHECK(*waits == std::vector<std::string>{"there"});
  }
  CHECK(f.node().made == 4);
}

TEST_CASE("a child that runs is taken up, and its limits follow the tenant's, each change with its version",
          "[supervisor][f:11.4]") {
  fixture f;
  f.spawn();
  f.attend();
  f.spawn();
  f.attend("here", 2);
  CHECK(f.node().made == 1);
  const auto before = f.state().limits_version;
  f.db->tenants[tenant_id{7}].rate = 50;
  f.run_for(6s);
  CHECK(f.child().settings.rate == 50);
  CHECK(f.state().limits_version == before + 1);
  CHECK(f.state().posts.at("here").version == before + 1);
}

TEST_CASE("a supervisor whose slot has a newer owner loses its child to that one", "[supervisor][f:11.2]") {
  fixture f;
  f.spawn();
  f.attend("here", 2);
  f.node().newest_owner = 3;
  const auto said = f.attend("here", 2);
  REQUIRE(said->size() == 1);
  CHECK(said->front() != "there");
  CHECK(f.state().posts.empty());
  CHECK(f.node().child);
}
