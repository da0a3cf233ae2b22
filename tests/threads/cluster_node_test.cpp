// Two whole nodes in one process: they join, are told to go and vanish, while clients send. Run under ThreadSanitizer
// by `scripts/test tsan`.
#include <catch2/catch_test_macros.hpp>

#include "tests/threads/support/cluster_nodes.hpp"

using namespace pulse;
using namespace pulse::test;

TEST_CASE("nodes share the slots, hand them over and take them over, and what was acknowledged is stored once",
          "[threads][cluster][f:11.2]") {
  world w;
  auto a = std::make_unique<running_node>(1, w.log, w.rows, w.db);
  REQUIRE(eventually([&] { return a->serving() == slots; }));
  std::atomic<bool> stop{false};
  std::atomic<running_node*> door{a.get()};
  std::set<std::string> acked;
  std::thread client([&] {
    for (int i = 0; !stop; ++i) {
      const auto id = fmt::format("m{}", i);
      if (door.load()->send(1 + i % tenants, id))
        acked.insert(id);
    }
  });
  // Joins, and takes its share.
  auto b = std::make_unique<running_node>(2, w.log, w.rows, w.db);
  CHECK(eventually([&] { return a->serving() == slots / 2 && b->serving() == slots / 2; }));
  // Vanishes, without a word to the others.
  door = a.get();
  b.reset();
  CHECK(eventually([&] { return a->serving() == slots; }));
  // Another joins, and the first one is told to go.
  auto c = std::make_unique<running_node>(3, w.log, w.rows, w.db);
  CHECK(eventually([&] { return c->serving() == slots / 2; }));
  door = c.get();
  CHECK(a->drain());
  CHECK(a->serving() == 0);
  CHECK(eventually([&] { return c->serving() == slots; }));
  stop = true;
  client.join();
  REQUIRE(eventually([&] { return w.all_stored(); }));
  CHECK_FALSE(a->died);
  CHECK_FALSE(c->died);
  std::multiset<std::string> stored;
  {
    const std::lock_guard hold(w.db->mutex);
    for (const auto& [key, p] : w.db->events)
      stored.insert(p.event.message_id);
  }
  CHECK(acked.size() > 50);
  for (const auto& id : acked)
    CHECK(stored.count(id) == 1);
}
