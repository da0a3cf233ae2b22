// Alerts from candidate to recorded attempt, over libpqxx. Blocking; one object per store_worker.
#pragma once

#include "models/alert/retry.hpp"
#include "ports/alert_store.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_alert_store final : public alert_store {
public:
  pg_alert_store(const std::string& url, const std::string& node, alert::retry_config retry = {});

  result<planned_alerts> plan(tenant_id tenant, time_ms now) override;
  result<std::vector<claimed_delivery>> claim(tenant_id tenant, time_ms now, const claim_limits& limits) override;
  result<std::vector<recorded>> record(tenant_id tenant, time_ms now,
                                       const std::vector<attempt_result>& results) override;

private:
  session writer_;
  alert::retry_config retry_;
};

} // namespace pulse::postgres
