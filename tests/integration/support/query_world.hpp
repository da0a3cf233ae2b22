// Events of several tenants, written through the real sink, and a naive recount of them in C++: what the query store
// answers is held against it.
#pragma once

#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "models/query/answer.hpp"
#include "postgres/query_store.hpp"
#include "postgres/slot_sink.hpp"
#include "tests/integration/support/database.hpp"

namespace pulse::test {

class fixed_clock final : public clock {
public:
  explicit fixed_clock(time_ms t) : now_(t) {
  }

  time_ms now() const override {
    return now_;
  }

  std::int64_t monotonic_ms() const override {
    return now_.value;
  }

private:
  time_ms now_;
};

class query_world {
public:
  /// `n` events for each of the tenants `a` (London's money is EUR here) and `b`, from 27 to 31 March 2026, over the
  /// night in which London's clocks go forward; some late, some tests, some in another currency.
  query_world(std::uint64_t seed, int n);

  database db;
  fixed_clock time;
  tenant_id a;
  tenant_id b;
  std::vector<slot::processed> stored;
  postgres::pg_query_store store;

  void add(std::vector<slot::processed> more);
  slot::processed make(tenant_id tenant, time_ms occurred);

  /// The value of a metric over the events of [from, to) that pass the question, and are in the group (nothing: not
  /// asked; inside nothing: have no value).
  query::value recount(tenant_id tenant, const query::metric_question& q, time_ms from, time_ms to,
                       const std::optional<std::optional<std::string>>& group) const;

private:
  bool passes(const pulse::event& e, const query::metric_question& q,
              const std::optional<std::optional<std::string>>& group) const;
  query::value sessions(tenant_id tenant, const query::metric_question& q, time_ms from, time_ms to,
                        const std::optional<std::optional<std::string>>& group) const;

  std::mt19937_64 random_;
  postgres::slot_sink sink_;
  std::int64_t next_ = 0;
};

} // namespace pulse::test
