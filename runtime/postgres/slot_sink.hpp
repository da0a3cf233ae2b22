// The store as one slot's writer sees it: one transaction a batch over its own connection, which never goes through
// a pooler. Blocking; lives in a detached actor.
#pragma once

#include <memory>
#include <set>
#include <span>
#include <string>

#include "ports/slot_store.hpp"
#include "postgres/connection.hpp"

namespace pulse::postgres {

struct stored_span;

struct sink_config {
  std::string url;
  /// Names this run of this node in application_name, rows and trails.
  std::string node;
  log_generation generation;
  /// Events older than this are refused.
  int horizon_days = 730;
  /// Of the lease under which slots are held; 0: held by the data directory's lock.
  std::int64_t term_ms = 0;
};

class slot_sink final : public slot_store {
public:
  slot_sink(sink_config config, const clock& time);

  result<slot_start> take_over(slot_id slot) override;
  result<slot_start> take_over(slot_id slot, const slot_claim& claim) override;
  result<commit_outcome> commit(const slot::batch& batch) override;
  result<tenant_start> load(tenant_id tenant) override;
  result<slot::artifact> fetch(tenant_id tenant, const std::string& kind, const std::string& hash) override;

private:
  struct work;
  using row_span = std::span<const slot::processed* const>;

  result<void> ready();
  result<void> end_backends(const std::string& run);
  result<slot_start> start_at(log_offset position, epoch held);
  result<commit_outcome> attempt(const slot::batch& batch, bool careful, bool& data_error);
  // The transaction's steps, in order.
  std::optional<sql_error> begin(work& w);
  std::optional<sql_error> insert_events(work& w);
  std::optional<sql_error> insert_failed(work& w);
  std::optional<sql_error> wake_alerting(work& w);
  std::optional<sql_error> apply_controls(work& w);
  std::optional<sql_error> insert_images(work& w);
  std::optional<sql_error> update_ledger(work& w);
  std::optional<sql_error> schedule_due(const work& w, const query_result& counted);
  std::optional<sql_error> learn_currencies(work& w);
  result<bool> move_position(const slot::batch& batch);
  // A span of rows with all that hangs on them.
  std::optional<sql_error> insert_span(work& w, row_span rows);
  std::optional<sql_error> insert_careful(work& w, row_span rows);
  std::optional<sql_error> insert_rows(row_span rows, stored_span& done);
  std::optional<sql_error> insert_rollups(row_span rows, const stored_span& done);
  std::optional<sql_error> insert_alerts(row_span rows, stored_span& done);

  sink_config config_;
  const clock& clock_;
  connection db_;
  bool staged_ = false;
  slot_id slot_;
  epoch epoch_;
  std::set<tenant_id> currency_known_;
};

} // namespace pulse::postgres
