// Owns one awake tenant's children. Enrichment and scoring are made when the slot asks, with the state that was loaded,
// and answer for themselves: when one dies the slot is told by the failed request and loads anew. Ingestion is on each
// node whose gateway sees the tenant: made through that node, watched over its link, restarted with growing delay, told
// of new limits. In a cluster a supervisor is where the tenant's slot is held. Child of the node_agent; quits when the
// tenant has been idle.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "actors/restart.hpp"
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
  void ask_settings();
  void take_settings(const settings_ptr& fresh);
  void child_down(const caf::down_msg& down);
  void alert();
  void read_source(const std::string& id);
  caf::result<lend_answer> lend(const lend_request& what, epoch owner, std::int64_t since);
  lend_answer lend_of(const lend_request& what, epoch owner, std::int64_t since);
  void settle(const settle_note& what);
  void tick();
  void end(const caf::error& why);

  // supervisor_posts.cpp: the ingestion children.
  ingestion_settings limits() const;
  caf::result<void> attend(const std::string& node, const child_host_actor& host, epoch owner);
  void order(const std::string& node);
  void ordered(const std::string& node, const ingestion_actor& child);
  void not_ordered(const std::string& node, const caf::error& why);
  void hand_limits(const std::string& node);
  void part(const std::string& node);
  bool post_down(const caf::down_msg& down);

  tenant_supervisor_actor::pointer self;
  context_ptr context;
  tenant_id tenant;
  node_agent_actor agent;
  std::vector<store_worker_actor> workers;
  settings_ptr settings;
  bool asking = false;
  /// The ingestion child on one node.
  struct ingestion_post {
    child_host_actor host;
    /// By which the node is to know whose word is newer.
    epoch owner;
    ingestion_actor child;
    bool asking = false;
    restart_delay restart;
    /// Of the limits that the child goes by.
    std::int64_t version = 0;
    std::vector<caf::typed_response_promise<void>> attends;
  };
  /// By the node's name, which is empty without a cluster.
  std::map<std::string, ingestion_post> posts;
  /// Counts the changes of the limits.
  std::int64_t limits_version = 1;
  enrichment_actor enrichment_child;
  scoring_actor scoring_child;
  alerting_actor alerting_child;
  restart_delay alerting_restart;
  struct source_child {
    kafka_source_actor reader;
    restart_delay restart;
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
  std::int64_t active_at_ms = 0;
  std::int64_t settings_at_ms = 0;
};

using tenant_supervisor = caf::stateful_actor<tenant_supervisor_state, tenant_supervisor_actor::base>;

} // namespace pulse
