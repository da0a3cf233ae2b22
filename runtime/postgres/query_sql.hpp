// Statements of the query store: text with numbered parameters that grow together, and the SQL of each count. Every
// statement's first parameter is the tenant.
#pragma once

#include <pqxx/pqxx>
#include <string>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/query/answer.hpp"

namespace pulse::postgres {

class statement {
public:
  explicit statement(tenant_id tenant) {
    params_.append(tenant.value);
  }

  /// Adds a value; returns its `$n`.
  template <class T>
  std::string arg(const T& v) {
    params_.append(v);
    return "$" + std::to_string(++count_);
  }

  std::string arg(const std::string& v) {
    params_.append(v);
    return "$" + std::to_string(++count_) + "::text";
  }

  std::string arg(const uuid& id) {
    return arg(id.str()) + "::uuid";
  }

  std::string arg(time_ms t) {
    return arg(format_time(t)) + "::timestamptz";
  }

  pqxx::result run(pqxx::work& tx, const std::string& text) const {
    return tx.exec(text, params_);
  }

private:
  pqxx::params params_;
  int count_ = 1;
};

/// Milliseconds since 1970 of a timestamp expression.
std::string millis(std::string_view expression);

/// `e` of `event`: the tenant, the range of ids that [from, to) of occurred_at can have, and that range itself.
std::string event_range(statement& s, time_ms from, time_ms to);

/// Sums of a piece; `by`: grouped, only rows with a value of it. The rows' columns: group, bucket, currency, sums.
pqxx::result run_sums(pqxx::work& tx, tenant_id tenant, const query::metric_question& q, const query::piece& p,
                      std::optional<query::dimension> by);

/// Columns: whole (boolean), group, bucket, things, converted.
pqxx::result run_customers(pqxx::work& tx, tenant_id tenant, const query::metric_question& q);
pqxx::result run_sessions(pqxx::work& tx, tenant_id tenant, const query::metric_question& q);

/// The starts of all buckets that [from, to) touches, as milliseconds, in order.
pqxx::result run_buckets(pqxx::work& tx, tenant_id tenant, const query::metric_question& q);

} // namespace pulse::postgres
