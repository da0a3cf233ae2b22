// Tells one tenant's receivers. Works in rounds: results are recorded, candidates decided, and what is due is claimed
// by one job of a store_worker; what was claimed is posted by the notifier, whose answers start the next round. Nothing
// is kept here that the database does not have: after a crash a lease runs out and the delivery is made again under
// the same id. Child of the tenant_supervisor.
#pragma once

#include <unordered_map>
#include <vector>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

/// What a round's job leaves behind; read when the worker has answered.
struct alert_round {
  std::vector<recorded> recorded_as;
  std::vector<claimed_delivery> claimed;
  /// Another round may find more.
  bool more = false;
  std::optional<error> failed;
};

struct alerting_state {
  static inline constexpr const char* name = "pulse.alerting";

  alerting_state(alerting_actor::pointer self, context_ptr context, tenant_id tenant, store_worker_actor worker);

  alerting_actor::behavior_type make_behavior();

  void wake();
  void start_round();
  void end_round(const std::vector<attempt_end_ptr>& told, const alert_round& round);
  void send(claimed_delivery claimed);
  void take(const attempt_end_ptr& end);
  std::vector<uuid> busy_endpoints() const;

  alerting_actor::pointer self;
  context_ptr context;
  tenant_id tenant;
  store_worker_actor worker;
  /// Being posted, by endpoint: bounded by what one endpoint may have at once.
  std::unordered_map<uuid, std::int64_t> in_flight;
  /// Posted and not recorded yet.
  std::vector<attempt_end_ptr> ended;
  bool round_open = false;
  bool wanted = false;
};

using alerting = caf::stateful_actor<alerting_state, alerting_actor::base>;

} // namespace pulse
