// Rows of events and failed events as the query store reads them.
#pragma once

#include <pqxx/pqxx>
#include <string>

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

/// What `to_failed` reads, in its order.
std::string failed_columns_read();
failed_event to_failed(const pqxx::row& row);

} // namespace pulse::postgres
