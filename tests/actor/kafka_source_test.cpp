// The reader of a tenant's own topic over fakes: what is acknowledged moves the position, and nothing else does.
#include <catch2/catch_test_macros.hpp>

#include <deque>

#include "actors/ingestion/ingestion.hpp"
#include "actors/kafka_source/kafka_source.hpp"
#include "tests/actor/actor_fixture.hpp"
#include "tests/support/fake_stores.hpp"

using namespace pulse;
using namespace std::chrono_literals;

namespace {

constexpr auto source_id = "00000000-0000-4000-8000-000000000001";

/// A topic and a row of the table, as the test sets them.
struct world {
  std::deque<source::record> waiting;
  std::optional<source_fault> broken;
  int opened = 0;

  std::int64_t version = 1;
  std::string holder;
  source::positions next;
  source::status shown;
  std::int64_t accepted = 0;
  std::int64_t refused = 0;
  bool gone = false;
  int released = 0;

  void put(std::int64_t offset, std::string value) {
    waiting.push_back({0, offset, 1'790'000'000'000, std::move(value)});
  }
};

class fake_reader final : public source_reader {
public:
  explicit fake_reader(std::shared_ptr<world> w, source::positions begins) :
    world_(std::move(w)), begins_(std::move(begins)) {
  }

  const source::origin& origin() const override {
    return origin_;
  }

  const source::positions& begins() const override {
    return begins_;
  }

  source_result<source_batch> read(std::size_t, std::size_t, int) override {
    if (world_->broken)
      return *world_->broken;
    source_batch out;
    for (; !world_->waiting.empty(); world_->waiting.pop_front())
      out.records.push_back(world_->waiting.front());
    return out;
  }

private:
  std::shared_ptr<world> world_;
  source::origin origin_{"orders", "ID"};
  source::positions begins_;
};

class fake_source_store final : public source_store {
public:
  explicit fake_source_store(std::shared_ptr<world> w) : world_(std::move(w)) {
  }

  result<std::vector<source_record>> list(tenant_id) override {
    return std::vector<source_record>{};
  }
  result<source_record> get(tenant_id, const uuid&) override {
    return test::is_away();
  }
  result<source_change> read(tenant_id, const uuid&) override {
    return test::is_away();
  }
  result<uuid> create(tenant_id, const source_change&, const std::string&) override {
    return test::is_away();
  }
  result<void> change(tenant_id, const uuid&, const source_change&, const std::string&) override {
    return test::is_away();
  }
  result<void> remove(tenant_id, const uuid&, const std::string&) override {
    return test::is_away();
  }
  result<std::string> networks(tenant_id) override {
    return std::string();
  }

  result<std::optional<claimed_source>> claim(tenant_id, const uuid&, const std::string& holder,
                                              std::int64_t) override {
    if (world_->gone)
      return error{ec::not_found, "deleted", ""};
    if (!world_->holder.empty() && world_->holder != holder)
      return std::optional<claimed_source>();
    world_->holder = holder;
    claimed_source out;
    out.version = world_->version;
    out.config.topic = "orders";
    out.next = world_->next;
    return std::optional(out);
  }

  result<void> report(tenant_id, const uuid&, const std::string& holder, std::int64_t version,
                      const source_report& what) override {
    if (holder != world_->holder || version != world_->version)
      return error{ec::fenced, "not yours", ""};
    for (const auto& [partition, next] : what.saved.next)
      world_->next[partition] = std::max(world_->next[partition], next);
    world_->accepted += what.saved.accepted;
    world_->refused += what.saved.refused;
    world_->shown = what.status;
    return {};
  }

  result<void> release(tenant_id, const uuid&, const std::string& holder) override {
    if (holder == world_->holder)
      world_->holder.clear();
    ++world_->released;
    return {};
  }

private:
  std::shared_ptr<world> world_;
};

struct fixture : test::actor_fixture {
  fixture() {
    ports->make_source_store = [this] {
      return std::make_unique<fake_source_store>(topic);
    };
    ports->open_source = [this](const source_start& start) -> source_result<std::unique_ptr<source_reader>> {
      ++topic->opened;
      if (topic->broken)
        return *topic->broken;
      return std::unique_ptr<source_reader>(std::make_unique<fake_reader>(topic, start.next));
    };
    door = own(system->spawn<ingestion>(context, ingestion_settings{tenant_id{7}, slot_id{2}, 0, 0, false, 1}));
    source = own(system->spawn<kafka_source>(context, tenant_id{7}, source_id, ingest_door_actor(door)));
  }

  void poke() {
    caf::anon_send(source, source_atom_v);
    run();
  }

  /// As the node pokes it.
  void run_poked(std::chrono::milliseconds span) {
    for (auto left = span; left.count() > 0; left -= 3000ms) {
      poke();
      run_for(3000ms);
    }
  }

  std::size_t stored() {
    return log.records(log_topic::raw, slot_id{2}).size();
  }

  std::shared_ptr<world> topic = std::make_shared<world>();
  ingestion_actor door;
  kafka_source_actor source;
};

constexpr auto good = R"({"type":"track","event":"A","userId":"u"})";

} // namespace

TEST_CASE("records go into the tenant's log, and then their position is kept", "[kafka_source][f:2.14]") {
  fixture f;
  f.topic->put(4, good);
  f.topic->put(5, "no json");
  f.topic->put(6, good);
  f.run_poked(3s);
  CHECK(f.stored() == 3);
  CHECK(f.topic->next == source::positions{{0, 7}});
  CHECK(f.topic->accepted == 2);
  CHECK(f.topic->refused == 1);
  CHECK(f.topic->shown.state == "running");
}

TEST_CASE("what the log does not acknowledge moves no position and is sent again", "[kafka_source][f:2.14]") {
  fixture f;
  f.log.fail_next(2);
  f.topic->put(0, good);
  f.poke();
  f.run_for(100ms);
  CHECK(f.topic->next.empty());
  CHECK(f.topic->shown.state == "waiting");
  f.run_poked(6s);
  CHECK(f.topic->next == source::positions{{0, 1}});
  CHECK(f.topic->shown.state == "running");
  CHECK(f.stored() == 1);
}

TEST_CASE("without being poked the reader lets the source go before its claim is over", "[kafka_source][f:2.14]") {
  fixture f;
  f.run_poked(30s);
  CHECK_FALSE(f.topic->holder.empty());
  f.run_for(18s);
  CHECK(f.topic->holder.empty());
  CHECK(f.topic->released == 1);
}

TEST_CASE("a source that was changed, deleted or taken is read no more, and its position stays",
          "[kafka_source][f:2.14]") {
  fixture f;
  f.run_poked(3s);
  SECTION("changed") {
    f.topic->version = 2;
  }
  SECTION("taken") {
    f.topic->holder = "somebody else";
  }
  f.topic->put(0, good);
  f.run_for(1s);
  CHECK(f.topic->next.empty());
  f.poke();
  f.topic->put(1, good);
  f.run_for(30s);
  CHECK(f.topic->waiting.size() == 1);
}

TEST_CASE("what keeps a topic from being read is shown, and it is opened again later and later",
          "[kafka_source][f:2.14]") {
  fixture f;
  f.topic->broken = source_fault{"authentication", "wrong password"};
  f.run_poked(60s);
  CHECK(f.topic->shown == source::status{"failing", "authentication", "wrong password"});
  CHECK((f.topic->opened >= 5 && f.topic->opened <= 9));
  f.topic->broken.reset();
  f.topic->put(0, good);
  f.run_poked(63s);
  CHECK(f.topic->shown.state == "running");
  CHECK(f.stored() == 1);
}
