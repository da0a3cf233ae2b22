// Settings, versions and due work over libpqxx. Blocking; one object per store_worker.
#pragma once

#include "ports/control_store.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_control_store final : public control_store {
public:
  pg_control_store(const std::string& url, const std::string& node);

  result<tenant_settings> settings(tenant_id tenant) override;
  result<std::vector<due_work>> due(const std::vector<slot_id>& slots, std::int64_t max) override;
  result<slot::control> publish(tenant_id tenant, const std::string& kind, const std::string& hash,
                                const std::string& bytes, const std::string& card_json,
                                const std::string& actor) override;
  result<void> keep(tenant_id tenant, const std::string& kind, const std::string& hash, const std::string& bytes,
                    const std::string& card_json, const std::string& actor) override;
  result<void> note_on_card(tenant_id tenant, const std::string& kind, const std::string& hash, const std::string& name,
                            const std::string& json) override;
  result<std::vector<slot::control>> pending_controls(tenant_id tenant) override;
  result<void> schedule_training(tenant_id tenant, training_kind kind, std::int64_t in_seconds) override;
  result<void> end_training(tenant_id tenant, training_kind kind) override;
  result<fraud::labelled_history> labelled(tenant_id tenant, std::size_t columns, std::int64_t rows_max,
                                           std::int64_t delay_ms) override;
  result<void> forgotten(tenant_id tenant) override;
  result<feature_history> history(tenant_id tenant, std::size_t columns, std::int64_t rows_max) override;
  result<std::vector<listed_model>> versions(tenant_id tenant, const std::string& kind) override;
  result<std::string> version_bytes(tenant_id tenant, const std::string& kind, const std::string& hash) override;
  result<void> reschedule_controls(tenant_id tenant) override;

private:
  session node_;
  session writer_;
};

} // namespace pulse::postgres
