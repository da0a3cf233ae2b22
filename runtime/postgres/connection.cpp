#include "postgres/connection.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <libpq-fe.h>

namespace pulse::postgres {

namespace {

const char* role_name(role as) {
  switch (as) {
    case role::reader: return "pulse_reader";
    case role::writer: return "pulse_writer";
    case role::node: return "pulse_node";
    case role::owner: return "";
  }
  return "";
}

std::string quoted(std::string_view v) {
  std::string out = "'";
  for (char c : v) {
    if (c == '\'' || c == '\\')
      out.push_back('\\');
    out.push_back(c);
  }
  return out + "'";
}

/// Microseconds from 1970 to 2000, where PostgreSQL's time starts.
constexpr std::int64_t postgres_epoch_ms = 946'684'800'000;

} // namespace

std::string conninfo(const std::string& url, role as, const std::string& application_name, std::int64_t term_ms) {
  const auto wait = std::to_string(term_ms > 0 ? term_ms : 3000);
  std::string options = "-c timezone=UTC -c datestyle=ISO -c statement_timeout=30000 -c lock_timeout=" + wait +
                        " -c idle_in_transaction_session_timeout=" + (term_ms > 0 ? wait : "10000");
  if (as != role::owner)
    options += std::string(" -c role=") + role_name(as);
  // libpq reads a URL or key=value text; what is set there stays, ours comes after it.
  std::string out;
  char* problem = nullptr;
  if (auto* parsed = PQconninfoParse(url.c_str(), &problem)) {
    for (auto* o = parsed; o->keyword != nullptr; ++o)
      if (o->val != nullptr)
        out += std::string(o->keyword) + "=" + quoted(o->val) + " ";
    PQconninfoFree(parsed);
  }
  PQfreemem(problem);
  return out + "application_name=" + quoted(application_name) + " connect_timeout=3 tcp_user_timeout=" + wait +
         " client_encoding=UTF8 options=" + quoted(options);
}

bool sql_error::is_data() const {
  const bool no_partition = state == "23514" && !has_constraint;
  // 54: a value over a limit of the program, such as that of an index row.
  return (state.starts_with("22") || state.starts_with("23") || state.starts_with("54")) && !no_partition;
}

error sql_error::to_error(std::string_view where) const {
  const auto detail = std::string(where) + ": " + message + (state.empty() ? "" : " (SQLSTATE " + state + ")");
  const auto cls = std::string_view(state).substr(0, 2);
  // No state: the connection broke. 08 connection, 40 serialisation, 53 resources, 55 locks, 57 operator, 58 system.
  const bool passing = state.empty() || cls == "08" || cls == "40" || cls == "53" || cls == "55" || cls == "57" ||
                       cls == "58" || cls == "25" || state == "23514";
  if (state == "23505")
    return {ec::conflict, detail, ""};
  return {passing ? ec::unavailable : is_data() ? ec::invalid : ec::internal, detail, ""};
}

copy_rows::copy_rows() : out_(std::string("PGCOPY\n\xff\r\n\0", 11) + std::string(8, '\0')) {
}

namespace {

template <class Int>
void put(std::string& out, Int v) {
  using unsigned_int = std::make_unsigned_t<Int>;
  const auto u = static_cast<unsigned_int>(v);
  for (int shift = static_cast<int>(sizeof(Int)) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(u >> shift & 0xff));
}

} // namespace

void copy_rows::row(int columns) {
  put(out_, static_cast<std::int16_t>(columns));
}

void copy_rows::length(std::size_t n) {
  put(out_, static_cast<std::int32_t>(n));
}

void copy_rows::null() {
  put(out_, std::int32_t{-1});
}

void copy_rows::value(bool v) {
  length(1);
  out_.push_back(v ? '\1' : '\0');
}

void copy_rows::value(std::int32_t v) {
  length(4);
  put(out_, v);
}

void copy_rows::value(std::int64_t v) {
  length(8);
  put(out_, v);
}

void copy_rows::value(double v) {
  length(8);
  put(out_, std::bit_cast<std::int64_t>(v));
}

void copy_rows::value(std::string_view text) {
  bytes(text);
}

void copy_rows::value(const uuid& id) {
  length(16);
  out_.append(reinterpret_cast<const char*>(id.bytes.data()), 16);
}

void copy_rows::value(time_ms at) {
  value((at.value - postgres_epoch_ms) * 1000);
}

void copy_rows::bytes(std::string_view v) {
  length(v.size());
  out_.append(v);
}

void copy_rows::jsonb(std::string_view json) {
  length(json.size() + 1);
  out_.push_back('\1');
  out_.append(json);
}

std::string copy_rows::finish() && {
  put(out_, std::int16_t{-1});
  return std::move(out_);
}

query_result::query_result(pg_result* r) : result_(r, PQclear) {
}

int query_result::rows() const {
  return PQntuples(result_.get());
}

int query_result::columns() const {
  return PQnfields(result_.get());
}

std::int64_t query_result::affected() const {
  const std::string_view n = PQcmdTuples(result_.get());
  std::int64_t v = 0;
  std::from_chars(n.data(), n.data() + n.size(), v);
  return v;
}

bool query_result::is_null(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view query_result::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t query_result::number(int row, int column) const {
  const auto t = text(row, column);
  std::int64_t v = 0;
  const auto [end, problem] = std::from_chars(t.data(), t.data() + t.size(), v);
  PULSE_ASSERT(problem == std::errc{} && end == t.data() + t.size(), "a column that is no whole number");
  return v;
}

connection::connection(std::string info) : info_(std::move(info)), conn_(nullptr, PQfinish) {
}

result<void> connection::ensure() {
  if (conn_ && PQstatus(conn_.get()) == CONNECTION_OK)
    return {};
  conn_.reset(PQconnectdb(info_.c_str()));
  if (conn_ && PQstatus(conn_.get()) == CONNECTION_OK) {
    PQsetNoticeProcessor(
        conn_.get(), [](void*, const char*) {}, nullptr);
    return {};
  }
  std::string why = conn_ ? PQerrorMessage(conn_.get()) : "out of memory";
  while (!why.empty() && why.back() == '\n')
    why.pop_back();
  conn_.reset();
  return error{ec::unavailable, "Postgres cannot be reached: " + why, ""};
}

void connection::close() {
  conn_.reset();
}

sql_error connection::failure(pg_result* r) const {
  const auto field = [r](int code) {
    const char* v = r != nullptr ? PQresultErrorField(r, code) : nullptr;
    return std::string(v != nullptr ? v : "");
  };
  sql_error e{field(PG_DIAG_SQLSTATE), field(PG_DIAG_MESSAGE_PRIMARY), !field(PG_DIAG_CONSTRAINT_NAME).empty()};
  if (e.message.empty())
    e.message = conn_ ? PQerrorMessage(conn_.get()) : "not connected";
  return e;
}

connection::outcome connection::run(const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
  if (!conn_)
    return sql_error{"", "not connected"};
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const auto& p : parameters)
    values.push_back(p ? p->c_str() : nullptr);
  auto* r = PQexecParams(conn_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                         nullptr, 0);
  const auto status = PQresultStatus(r);
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK)
    return query_result(r);
  auto e = failure(r);
  PQclear(r);
  return e;
}

std::optional<sql_error> connection::run_script(const std::string& sql) {
  if (!conn_)
    return sql_error{"", "not connected"};
  auto* r = PQexec(conn_.get(), sql.c_str());
  const auto status = PQresultStatus(r);
  std::optional<sql_error> problem;
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
    problem = failure(r);
  PQclear(r);
  return problem;
}

std::optional<sql_error> connection::copy_in(const std::string& sql, const std::string& stream) {
  if (!conn_)
    return sql_error{"", "not connected"};
  auto* begun = PQexec(conn_.get(), sql.c_str());
  if (PQresultStatus(begun) != PGRES_COPY_IN) {
    auto e = failure(begun);
    PQclear(begun);
    return e;
  }
  PQclear(begun);
  constexpr std::size_t piece = 1U << 20U;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const auto n = std::min(piece, stream.size() - at);
    if (PQputCopyData(conn_.get(), stream.data() + at, static_cast<int>(n)) != 1)
      break;
  }
  PQputCopyEnd(conn_.get(), nullptr);
  std::optional<sql_error> problem;
  while (auto* r = PQgetResult(conn_.get())) {
    if (PQresultStatus(r) != PGRES_COMMAND_OK && !problem)
      problem = failure(r);
    PQclear(r);
  }
  return problem;
}

} // namespace pulse::postgres
