// The root of a node's tree: makes supervisors for tenants that wake, slot readers for the slots the node holds, and a
// fixed number of store workers; looks for work that is due. Lives as long as the node.
#pragma once

#include <functional>
#include <unordered_map>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

/// Appends a control record to the tenant's partition; `done` as event_log::append.
void append_control(const context_ptr& context, tenant_id tenant, slot_id slot, const slot::control& control,
                    std::function<void(result<log_offset>)> done);

struct node_agent_state {
  static inline constexpr const char* name = "pulse.node_agent";

  node_agent_state(node_agent_actor::pointer self, context_ptr context);

  node_agent_actor::behavior_type make_behavior();

  tenant_supervisor_actor supervisor_of(tenant_id tenant);
  settings_ptr remembered(tenant_id tenant) const;
  void remember(tenant_id tenant, const settings_ptr& fresh);
  void look_for_due();
  void send_controls(tenant_id tenant);
  void forget(tenant_id tenant);
  void train_when_free(tenant_id tenant, const std::string& kind);
  caf::result<void> send_control(tenant_id tenant, const slot::control& control);
  caf::result<void> drain();
  caf::result<training_ptr> train(tenant_id tenant, const std::string& kind);

  node_agent_actor::pointer self;
  context_ptr context;
  std::vector<store_worker_actor> workers;
  std::vector<slot_reader_actor> slots;
  std::unordered_map<tenant_id, tenant_supervisor_actor> supervisors;
  /// As the supervisors last read them: a tenant that wakes while the store is away goes on with these.
  std::unordered_map<tenant_id, settings_ptr> last_known;
  bool asking_due = false;
  bool training = false;
};

using node_agent = caf::stateful_actor<node_agent_state, node_agent_actor::base>;

} // namespace pulse
