// Owns one awake tenant's children on this node. Enrichment and scoring are made when the slot asks, with the state
// that was loaded, and answer for themselves: when one dies the slot is told by the failed request and loads anew.
// Ingestion is restarted here, with growing delay. Child of the node_agent; quits when the tenant has been idle.
#pragma once

#include <deque>
#include <map>
#include <optional>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "models/quota/lender.hpp"

namespace pulse {

struct tenant_supervisor_state {
  static inline constexpr const char* name = "pulse.tenant_supervisor";

  tenant_supervisor_state(tenant_supervisor_actor::pointer self, context_ptr context, tenant_id tenant,
                          node_agent_actor agent, std::vector<store_worker_actor> workers, settings_ptr last_known);

  tenant_supervisor_actor::behavior_type make_behavior();

  caf::result<void> start(const load_ptr& loaded);
  caf::result<part_result_ptr> work(const part_ptr& part);
  void release();
  void ingest(ingest_ptr request);
  void ask_settings();
  void take_settings(const settings_ptr& fresh);
  void spawn_ingestion();
  void child_down(const caf::down_msg& down);
  void alert();
  void read_source(const std::string& id);
  caf::result<lend_answer> lend(const lend_request& what, epoch owner, std::int64_t since);
  lend_answer lend_of(const lend_request& what, epoch owner, std::int64_t since);
  void settle(const settle_note& what);
  void tick();
  void end(const caf::error& why);
  void refuse(ingest_request& request, const std::string& why);

  tenant_supervisor_actor::pointer self;
  context_ptr context;
  tenant_id tenant;
  node_agent_actor agent;
  std::vector<store_worker_actor> workers;
  settings_ptr settings;
  bool asking = false;
  ingestion_actor ingestion_child;
  enrichment_actor enrichment_child;
  scoring_actor scoring_child;
  alerting_actor alerting_child;
  int alerting_restarts = 0;
  std::int64_t alerting_restart_at_ms = 0;
  struct source_child {
    kafka_source_actor reader;
    int restarts = 0;
    std::int64_t restart_at_ms = 0;
  };
  /// By id.
  std::map<std::string, source_child> sources;
  /// The tenant's limit for the whole cluster, while this node owns it under that epoch.
  std::optional<lender> quota;
  epoch quota_owner;
  /// Loans that were asked for before the settings; bounded.
  struct waiting_loan {
    caf::typed_response_promise<lend_answer> promise;
    lend_request what;
    epoch owner;
    std::int64_t since;
  };
  std::vector<waiting_loan> lend_waiting;
  /// Requests that came before the settings; bounded.
  std::deque<ingest_ptr> waiting;
  int restarts = 0;
  std::int64_t restart_at_ms = 0;
  std::int64_t active_at_ms = 0;
  std::int64_t settings_at_ms = 0;
};

using tenant_supervisor = caf::stateful_actor<tenant_supervisor_state, tenant_supervisor_actor::base>;

} // namespace pulse
