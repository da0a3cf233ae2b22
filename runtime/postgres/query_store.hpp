// The reader's side of Postgres: metrics, events, trails. Each call is one read-only snapshot under the reader's role
// with its tenant set; every statement names the tenant besides. Blocking; one object per worker thread.
#pragma once

#include "base/time.hpp"
#include "ports/query_store.hpp"
#include "postgres/pool.hpp"
#include "postgres/time_zones.hpp"

namespace pulse::postgres {

struct query_config {
  std::string url;
  std::string node;
  /// Longer questions end in a 503 that says so.
  std::int64_t statement_timeout_ms = 15'000;
};

class pg_query_store final : public query_store {
public:
  pg_query_store(query_config config, const clock& time);

  result<query::metric_answer> metric(tenant_id tenant, const query::metric_question& q) override;
  result<page_of<stored_event>> events(tenant_id tenant, const query::events_question& q) override;
  result<stored_event> event(tenant_id tenant, const event_id& id) override;
  result<event_trail> trail(tenant_id tenant, const std::string& id, time_ms from, time_ms to) override;
  result<page_of<failed_event>> failed_events(tenant_id tenant, const query::failed_question& q) override;
  result<tenant_use> use(tenant_id tenant) override;
  result<std::string> version(tenant_id tenant, const std::string& kind, const std::string& hash) override;
  result<std::optional<std::string>> live_version(tenant_id tenant, const std::string& kind) override;
  result<std::vector<query::campaign_row>> campaigns(tenant_id tenant, time_ms from, time_ms to) override;

private:
  /// One snapshot for all statements of `work`.
  template <class Work>
  auto read_for(tenant_id tenant, std::string_view where, Work&& work) {
    auto done = db_.run(where, [&](pqxx::work& tx) {
      tx.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      tx.exec("SELECT set_config('app.tenant', $1, true), set_config('statement_timeout', $2, true)",
              pqxx::params{std::to_string(tenant.value), std::to_string(config_.statement_timeout_ms)});
      return work(tx);
    });
    return done ? done : decltype(done)(explain(done.err()));
  }

  error explain(const error& e) const;
  query::answer_frame frame(pqxx::work& tx, tenant_id tenant, const query::metric_question& q);
  query::metric_answer additive(pqxx::work& tx, tenant_id tenant, const query::answer_frame& frame);

  query_config config_;
  const clock& clock_;
  session db_;
  /// Time zones that Postgres was asked for and knows.
  time_zones zones_;
};

} // namespace pulse::postgres
