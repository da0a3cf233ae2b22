// Rows of events and failed events as the query store reads them.
#pragma once

#include <pqxx/pqxx>
#include <string>

#include "models/slot/control.hpp"
#include "ports/query_store.hpp"

namespace pulse::postgres {

/// Takes a row's fields from left to right.
class row_reader {
public:
  explicit row_reader(const pqxx::row& row) : row_(row) {
  }

  std::string text() {
    const auto f = row_[column_++];
    return f.is_null() ? std::string{} : f.as<std::string>();
  }

  void texts(std::initializer_list<std::string*> into) {
    for (auto* t : into)
      *t = text();
  }

  template <class T>
  std::optional<T> maybe() {
    const auto f = row_[column_++];
    return f.is_null() ? std::nullopt : std::optional(f.as<T>());
  }

  template <class T>
  T value() {
    return row_[column_++].as<T>();
  }

  time_ms time() {
    return time_ms{value<std::int64_t>()};
  }

  uuid id() {
    const auto word = text();
    return word.empty() ? uuid{} : uuid::parse(word).value();
  }

private:
  // A row of its own: `rows[0]` is a temporary. Copying shares the result.
  pqxx::row row_;
  int column_ = 0;
};

/// What `to_event` reads, in its order; the table is `e`.
std::string event_columns_read();
stored_event to_event(const pqxx::row& row);

/// The bytes of an immutable version; throws `refused` with `not_found`.
std::string read_version(pqxx::work& tx, tenant_id tenant, const std::string& kind, const std::string& hash);

struct new_version {
  const std::string& kind;
  const std::string& hash;
  const std::string& bytes;
  const std::string& card_json;
  const std::string& actor;
};

/// Stores a version; its number.
std::int64_t keep_version(pqxx::work& tx, tenant_id tenant, const new_version& v);

/// Stores a version and the control record that brings it into the tenant's log; `due` sends that again until it has
/// taken effect.
slot::control write_version(pqxx::work& tx, tenant_id tenant, const new_version& v);

/// What `to_failed` reads, in its order.
std::string failed_columns_read();
failed_event to_failed(const pqxx::row& row);

} // namespace pulse::postgres
