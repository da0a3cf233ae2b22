#include "tests/integration/support/database.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fmt/format.h>
#include <unistd.h>

#include "postgres/migrator.hpp"

namespace pulse::test {

namespace {

std::string server() {
  const char* url = std::getenv("PULSE_TEST_POSTGRES");
  if (url == nullptr)
    FAIL("PULSE_TEST_POSTGRES is not set: run this through scripts/test integration");
  return url;
}

std::string as_super(const std::string& dbname) {
  return postgres::conninfo(server() + " user=postgres dbname=" + dbname, postgres::role::owner, "pulse-test");
}

void must(postgres::connection& c, const std::string& text) {
  REQUIRE(c.ensure().ok());
  if (const auto problem = c.run_script(text))
    FAIL(text << ": " << problem->message);
}

/// Migrated once a run of the test program.
const std::string& template_name() {
  static const std::string name = [] {
    const auto n = fmt::format("pulse_template_{}", getpid());
    postgres::connection c(as_super("postgres"));
    must(c, fmt::format("CREATE DATABASE {} OWNER pulse", n));
    const auto done = postgres::migrate(server() + " dbname=" + n, 60, [](const auto&) {});
    if (!done)
      FAIL(done.err().detail);
    return n;
  }();
  return name;
}

} // namespace

database::database() :
  name_(template_name() + "_" + uuid(system_random().next_uuid()).str().substr(0, 8)),
  url_(server() + " dbname=" + name_),
  super_(as_super(name_)) {
  postgres::connection c(as_super("postgres"));
  must(c, fmt::format("CREATE DATABASE {} TEMPLATE {} OWNER pulse", name_, template_name()));
  REQUIRE(super_.ensure().ok());
}

database::~database() {
  super_.close();
  postgres::connection c(as_super("postgres"));
  if (c.ensure().ok())
    (void)c.run_script(fmt::format("DROP DATABASE {} WITH (FORCE)", name_));
}

std::vector<std::vector<std::string>> database::sql(const std::string& text) {
  REQUIRE(super_.ensure().ok());
  auto done = super_.run(text);
  if (const auto* problem = std::get_if<postgres::sql_error>(&done))
    FAIL(text << ": " << problem->message);
  const auto& rows = std::get<postgres::query_result>(done);
  std::vector<std::vector<std::string>> out;
  for (int i = 0; i < rows.rows(); ++i) {
    out.emplace_back();
    for (int k = 0; k < rows.columns(); ++k)
      out.back().push_back(rows.is_null(i, k) ? "∅" : std::string(rows.text(i, k)));
  }
  return out;
}

std::string database::one(const std::string& text) {
  const auto rows = sql(text);
  REQUIRE(rows.size() == 1);
  return rows.front().front();
}

tenant_id database::add_tenant(const std::string& name, int slot) {
  return tenant_id{std::stoi(one(fmt::format(
      "INSERT INTO tenant (name, slot, currency) VALUES ('{}', {}, 'EUR') RETURNING tenant_id", name, slot)))};
}

} // namespace pulse::test
