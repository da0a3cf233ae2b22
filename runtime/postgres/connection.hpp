// A libpq connection for the sink: statements, binary COPY, errors as values with their SQLSTATE. One thread each.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

struct pg_conn;
struct pg_result;

namespace pulse::postgres {

/// The role a connection acts as; it is entered at connecting, so no statement runs without it.
enum class role : std::uint8_t { reader, writer, node, owner };

/// `url` with role, application name and time-outs. The owner is the connecting user itself. `term_ms`: that of the
/// lease under which the session writes; a transaction of a process that was stopped holds its locks no longer. 0: no
/// lease.
std::string conninfo(const std::string& url, role as, const std::string& application_name, std::int64_t term_ms = 0);

struct sql_error {
  std::string state;
  std::string message;
  bool has_constraint = false;

  /// Class 22, 23 or 54 on the data itself: the row is at fault, not the store. A missing partition is not.
  bool is_data() const;

  /// The error as the rest of the program sees it.
  error to_error(std::string_view where) const;
};

/// Rows in binary COPY format (PostgreSQL manual, COPY, "Binary Format").
class copy_rows {
public:
  copy_rows();

  void row(int columns);
  void null();
  void value(bool v);
  void value(std::int32_t v);
  void value(std::int64_t v);
  void value(double v);
  void value(std::string_view text);
  void value(const uuid& id);
  void value(time_ms at);
  void bytes(std::string_view v);
  void jsonb(std::string_view json);

  /// Null for an empty string.
  void text_or_null(std::string_view text) {
    text.empty() ? null() : value(text);
  }

  /// The whole stream with its trailer; the object is done after that.
  std::string finish() &&;

private:
  void length(std::size_t n);

  std::string out_;
};

class query_result {
public:
  explicit query_result(pg_result* r);

  int rows() const;
  int columns() const;
  std::int64_t affected() const;
  bool is_null(int row, int column) const;
  std::string_view text(int row, int column) const;
  std::int64_t number(int row, int column) const;

private:
  std::shared_ptr<pg_result> result_;
};

class connection {
public:
  using outcome = std::variant<query_result, sql_error>;

  explicit connection(std::string info);

  /// Connects when there is no living connection.
  result<void> ensure();
  void close();

  /// One statement with text parameters (nothing = NULL); results as text.
  outcome run(const std::string& sql, const std::vector<std::optional<std::string>>& parameters = {});

  /// Several statements in one text, as in a migration; nothing when all went well.
  std::optional<sql_error> run_script(const std::string& sql);

  /// `COPY … FROM STDIN (FORMAT binary)`.
  std::optional<sql_error> copy_in(const std::string& sql, const std::string& stream);

private:
  sql_error failure(pg_result* r) const;

  std::string info_;
  std::unique_ptr<pg_conn, void (*)(pg_conn*)> conn_;
};

} // namespace pulse::postgres
