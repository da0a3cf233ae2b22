#include "actors/store_worker/store_worker.hpp"

namespace pulse {

namespace {

/// Tenants whose work is looked at in one round.
constexpr std::int64_t due_max = 500;

} // namespace

store_worker_state::store_worker_state(store_worker_actor::pointer p, context_ptr c) :
  self(p),
  context(std::move(c)),
  store(context->make_control_store()),
  alerts(context->make_alert_store ? context->make_alert_store() : nullptr) {
}

store_worker_actor::behavior_type store_worker_state::make_behavior() {
  return {
      [this](settings_atom, tenant_id tenant) {
        return std::make_shared<result<tenant_settings>>(store->settings(tenant));
      },
      [this](due_atom, const std::vector<slot_id>& slots) {
        return std::make_shared<result<std::vector<due_work>>>(store->due(slots, due_max));
      },
      [this](job_atom, const job_ptr& job) { (*job)(*store); },
      [this](job_atom, const alert_job_ptr& job) {
        if (alerts)
          (*job)(*alerts);
      },
  };
}

} // namespace pulse
