// Which slot a new tenant gets, against the real Postgres.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fmt/format.h>
#include <map>

#include "postgres/admin_store.hpp"
#include "tests/integration/support/database.hpp"

using namespace pulse;

TEST_CASE("new tenants are spread, also where one slot has had no events yet", "[admin][f:11.9]") {
  const bool young = GENERATE(false, true);
  test::database db;
  constexpr int slots = 8;
  for (int slot = 0; slot < slots - 1; ++slot) {
    const auto old = db.add_tenant(fmt::format("old {}", slot), slot);
    db.sql(fmt::format("INSERT INTO ledger (tenant_id, generation, slot, raw, stored) VALUES ({}, 1, {}, 1000, 1000)",
                       old.value, slot));
  }
  if (!young)
    db.sql("UPDATE tenant SET created_at = now() - interval '30 days'");
  postgres::pg_admin_store store(db.url(), "test");
  std::map<slot_id, int> got;
  for (int i = 0; i < 2 * slots + 1; ++i) {
    const auto made = store.create_tenant({fmt::format("new {}", i), "", "UTC", 100, 100, slots}, "test");
    REQUIRE(made.ok());
    ++got[made->slot];
    // The first goes where there is least.
    CHECK((i > 0 || made->slot == slot_id{slots - 1}));
  }
  CHECK(got.size() == slots);
  for (const auto& [slot, n] : got)
    CHECK(n <= 3);
}
