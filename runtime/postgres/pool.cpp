#include "postgres/pool.hpp"

namespace pulse::postgres {

session::session(const std::string& url, role as, const std::string& application_name) :
  info_(conninfo(url, as, application_name)) {
}

std::unique_ptr<pqxx::work> session::begin() {
  if (db_ && db_->is_open()) {
    try {
      return std::make_unique<pqxx::work>(*db_);
    } catch (const pqxx::broken_connection&) {
      db_.reset();
    }
  }
  db_ = std::make_unique<pqxx::connection>(info_);
  return std::make_unique<pqxx::work>(*db_);
}

error session::to_error(std::string_view where, const std::exception& e) {
  if (const auto* ours = dynamic_cast<const refused*>(&e))
    return ours->why;
  if (const auto* sql = dynamic_cast<const pqxx::sql_error*>(&e))
    return sql_error{sql->sqlstate(), sql->what(), false}.to_error(where);
  if (dynamic_cast<const pqxx::broken_connection*>(&e) != nullptr)
    return {ec::unavailable, std::string(where) + ": Postgres is away: " + e.what(), ""};
  return {ec::internal, std::string(where) + ": " + e.what(), ""};
}

} // namespace pulse::postgres
