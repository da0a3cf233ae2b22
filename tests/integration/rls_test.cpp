// Row-level security, asked of the catalogue and tried as each role: no byte of one tenant for another.
#include <catch2/catch_test_macros.hpp>

#include <fmt/format.h>

#include "tests/integration/support/database.hpp"

using namespace pulse;

namespace {

/// The number of rows a role sees with a setting; the SQLSTATE when it raises.
std::string seen(postgres::connection& c, const std::string& set, const std::string& query) {
  REQUIRE(c.ensure().ok());
  REQUIRE_FALSE(c.run_script("BEGIN").has_value());
  if (!set.empty())
    REQUIRE_FALSE(c.run_script(set).has_value());
  auto done = c.run(query);
  REQUIRE_FALSE(c.run_script("ROLLBACK").has_value());
  if (const auto* problem = std::get_if<postgres::sql_error>(&done))
    return problem->state;
  return std::string(std::get<postgres::query_result>(done).text(0, 0));
}

} // namespace

TEST_CASE("every table that names a tenant forces row-level security with its policies", "[rls][f:9.1]") {
  test::database db;
  const auto unprotected =
      db.sql("SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' "
             "WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped "
             "AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1");
  // `due` holds no payload: the finder of work looks into it without knowing a tenant.
  CHECK(unprotected == std::vector<std::vector<std::string>>{{"due"}});
  CHECK(
      db.one(
          "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'pulse_%' AND (rolbypassrls OR rolsuper OR rolcanlogin)") ==
      "0");
  CHECK(db.one("SELECT count(*) FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relname LIKE 'event_2%' AND "
               "(has_table_privilege('pulse_reader', c.oid, 'SELECT') OR has_table_privilege('pulse_writer', c.oid, "
               "'SELECT'))") == "0");
}

TEST_CASE("the reader sees the tenant that is set, and raises without one", "[rls][f:9.1]") {
  test::database db;
  const auto a = db.add_tenant("a");
  const auto b = db.add_tenant("b");
  for (auto t : {a, b})
    db.sql(fmt::format(
        "INSERT INTO failed_event VALUES ({}, gen_random_uuid(), now(), 's', 'c', 'd', '', NULL, NULL, 0, 0, "
        "'secret of {}')",
        t.value, t.value));
  postgres::connection reader(postgres::conninfo(db.url(), postgres::role::reader, "rls"));
  const auto count = "SELECT count(*) FROM failed_event";
  CHECK(seen(reader, fmt::format("SET LOCAL app.tenant = '{}'", a.value), count) == "1");
  CHECK(seen(reader, fmt::format("SET LOCAL app.tenant = '{}'", b.value), count) == "1");
  // After SET LOCAL a reset setting is '', not NULL; both raise. The same connection goes from one to the next.
  CHECK(seen(reader, "", count) == "22P02");
  CHECK(seen(reader, "SET LOCAL app.tenant = ''", count) == "22P02");
  CHECK(seen(reader, "SET LOCAL app.tenant = '999'", count) == "0");
  CHECK(seen(reader, "SET LOCAL app.tenant = '1 OR true'", count) == "22P02");
  CHECK(seen(reader, fmt::format("SET LOCAL app.tenant = '{}'", a.value),
             fmt::format("SELECT count(*) FROM failed_event WHERE tenant_id = {}", b.value)) == "0");
  postgres::connection fresh(postgres::conninfo(db.url(), postgres::role::reader, "rls"));
  CHECK(seen(fresh, "", count) == "42704");
  CHECK(seen(fresh, fmt::format("SET LOCAL app.tenant = '{}'", a.value), "DELETE FROM failed_event RETURNING 1") ==
        "42501");
}

TEST_CASE("the writer writes for its tenants alone", "[rls][f:9.1]") {
  test::database db;
  const auto a = db.add_tenant("a");
  const auto b = db.add_tenant("b");
  postgres::connection writer(postgres::conninfo(db.url(), postgres::role::writer, "rls"));
  const auto insert =
      fmt::format("INSERT INTO audit (tenant_id, actor, action) VALUES ({}, 'x', 'y') RETURNING 1", b.value);
  CHECK(seen(writer, fmt::format("SET LOCAL app.tenants = '{}'", a.value), insert) == "42501");
  CHECK(seen(writer, fmt::format("SET LOCAL app.tenants = '{},{}'", a.value, b.value), insert) == "1");
  CHECK(seen(writer, "", "SELECT count(*) FROM audit") == "0");
}

TEST_CASE("a policy that is taken out shows", "[rls][negative]") {
  test::database db;
  const auto a = db.add_tenant("a");
  const auto b = db.add_tenant("b");
  for (auto t : {a, b})
    db.sql(fmt::format("INSERT INTO audit (tenant_id, actor, action) VALUES ({}, 'x', 'y')", t.value));
  db.sql("ALTER TABLE audit DISABLE ROW LEVEL SECURITY");
  postgres::connection reader(postgres::conninfo(db.url(), postgres::role::reader, "rls"));
  CHECK(seen(reader, fmt::format("SET LOCAL app.tenant = '{}'", a.value), "SELECT count(*) FROM audit") == "2");
}
