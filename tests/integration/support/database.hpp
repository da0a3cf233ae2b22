// A database of its own for a test, with the real migrations, in the Postgres that scripts/test started
// (PULSE_TEST_POSTGRES). Made from a template that is migrated once a run.
#pragma once

#include <string>
#include <vector>

#include "postgres/connection.hpp"

namespace pulse::test {

class database {
public:
  database();
  ~database();
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  const std::string& url() const {
    return url_;
  }

  /// Runs as the superuser, whom no policy binds; fails the test on any error. Rows as text, NULL as "∅".
  std::vector<std::vector<std::string>> sql(const std::string& text);

  /// One value of one row.
  std::string one(const std::string& text);

  tenant_id add_tenant(const std::string& name, int slot = 0);

private:
  std::string name_;
  std::string url_;
  postgres::connection super_;
};

} // namespace pulse::test
