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

/// A value that a column of this type takes; texts differ by tenant, as some have to be unique.
std::string some_value(const std::string& type, bool is_partition_key, tenant_id tenant) {
  if (type == "text")
    return fmt::format("'x{}'", tenant.value);
  if (is_partition_key)
    return "pulse_id_at(now())";
  for (const auto& [begin, value] : {std::pair{"uuid", "gen_random_uuid()"},
                                     {"timestamp", "now()"},
                                     {"json", "'{}'"},
                                     {"bytea", "'x'"},
                                     {"boolean", "false"},
                                     {"ARRAY", "'{}'"},
                                     {"text", "'x'"}})
    if (type.starts_with(begin))
      return value;
  return "1";
}

/// One row of each tenant in every table that names a tenant and is not one already; the tables.
std::vector<std::string> fill(test::database& db, tenant_id a, tenant_id b) {
  std::vector<std::string> tables;
  for (const auto& row :
       db.sql("SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND "
              "c.relnamespace = 'public'::regnamespace AND NOT c.relispartition ORDER BY 1"))
    tables.push_back(row[0]);
  for (const auto& table : tables) {
    for (const auto& check : db.sql(fmt::format("SELECT conname FROM pg_constraint WHERE conrelid = '{}'::regclass AND "
                                                "contype IN ('c', 'f')",
                                                table)))
      db.sql(fmt::format("ALTER TABLE {} DROP CONSTRAINT {} CASCADE", table, check[0]));
    if (table == "tenant")
      continue;
    const auto needed =
        db.sql(fmt::format("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{}' AND "
                           "column_name <> 'tenant_id' AND is_nullable = 'NO' AND column_default IS NULL AND "
                           "is_identity = 'NO'",
                           table));
    for (auto t : {a, b}) {
      std::string columns, values;
      for (const auto& c : needed) {
        columns += "," + c[0];
        values += "," + some_value(c[1], table == "event" && c[0] == "event_id", t);
      }
      db.sql(fmt::format("INSERT INTO {} (tenant_id{}) VALUES ({}{})", table, columns, t.value, values));
    }
  }
  return tables;
}

/// Rows of `whose` that the role sees while it works for `me`.
std::string foreign_rows(const test::database& db, const std::string& table, tenant_id me, tenant_id whose,
                         postgres::role as) {
  postgres::connection c(postgres::conninfo(db.url(), as, "rls"));
  const auto setting = as == postgres::role::reader ? "app.tenant" : "app.tenants";
  return seen(c, fmt::format("SET LOCAL {} = '{}'", setting, me.value),
              fmt::format("SELECT count(*) FROM {} WHERE tenant_id = {}", table, whose.value));
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

TEST_CASE("no table shows one tenant's row to another, as reader or as writer", "[rls][f:9.1][f:9.4]") {
  test::database db;
  const auto a = db.add_tenant("a"), b = db.add_tenant("b");
  const auto tables = fill(db, a, b);
  CHECK(tables.size() >= 15);
  for (const auto& table : tables) {
    INFO(table);
    CHECK(foreign_rows(db, table, a, b, postgres::role::reader) == "0");
    CHECK(foreign_rows(db, table, a, b, postgres::role::writer) == "0");
    // Not because nothing is there.
    CHECK(foreign_rows(db, table, a, a, postgres::role::reader) == "1");
    CHECK(foreign_rows(db, table, a, a, postgres::role::writer) == "1");
  }
}

TEST_CASE("each policy that is taken out shows", "[rls][negative]") {
  test::database db;
  const auto a = db.add_tenant("a"), b = db.add_tenant("b");
  for (const auto& table : fill(db, a, b))
    for (const auto& [name, as] : {std::pair{"reader", postgres::role::reader}, {"writer", postgres::role::writer}}) {
      INFO(table << " " << name);
      db.sql(fmt::format("ALTER POLICY {} ON {} USING (true)", name, table));
      CHECK(foreign_rows(db, table, a, b, as) == "1");
    }
}

TEST_CASE("a table whose row-level security is not forced shows", "[rls][negative]") {
  test::database db;
  const auto a = db.add_tenant("a"), b = db.add_tenant("b");
  fill(db, a, b);
  db.sql("ALTER TABLE audit DISABLE ROW LEVEL SECURITY");
  CHECK(foreign_rows(db, "audit", a, b, postgres::role::reader) == "1");
}
