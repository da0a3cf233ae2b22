// Migrations are chosen by what was applied, not by the highest number: work on two branches is merged in any order.
#include <catch2/catch_test_macros.hpp>

#include <vector>

#include "postgres/migrator.hpp"
#include "tests/integration/support/database.hpp"

using namespace pulse;

TEST_CASE("a migration that a database has not seen is applied, whatever came after it", "[migrations]") {
  test::database db;
  db.sql("DELETE FROM schema_migration WHERE name = '0009_rules.sql'");
  std::vector<std::string> applied;
  const auto note = [&](const std::string& name) {
    applied.push_back(name);
  };
  const auto fresh = postgres::migrate(db.url(), 60, note);
  REQUIRE(fresh.ok());
  CHECK(*fresh == 1);
  CHECK(applied == std::vector<std::string>{"0009_rules.sql"});
  CHECK(postgres::migrate(db.url(), 60, note).value() == 0);
  // A file that was changed after it was applied is refused.
  db.sql("UPDATE schema_migration SET sha256 = 'other' WHERE name = '0010_cluster.sql'");
  CHECK(postgres::migrate(db.url(), 60, note).err().code == ec::conflict);
}
