// Endpoints, alerts and attempts over libpqxx. Blocking; one object per worker thread.
#pragma once

#include "ports/alert_admin.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_alert_admin final : public alert_admin {
public:
  pg_alert_admin(const std::string& url, const std::string& node);

  result<std::vector<endpoint_record>> endpoints(tenant_id tenant) override;
  result<endpoint_record> endpoint(tenant_id tenant, const uuid& id) override;
  result<uuid> create_endpoint(tenant_id tenant, const endpoint_record& e, const std::string& secret,
                               const std::string& actor) override;
  result<endpoint_record> update_endpoint(tenant_id tenant, const uuid& id, const endpoint_change& change,
                                          const std::string& actor) override;
  result<void> delete_endpoint(tenant_id tenant, const uuid& id, const std::string& actor) override;
  result<void> rotate_secret(tenant_id tenant, const uuid& id, const std::string& secret,
                             const std::string& actor) override;
  result<uuid> test_endpoint(tenant_id tenant, const uuid& id, const std::string& actor) override;
  result<page<attempt_record>> attempts(tenant_id tenant, const uuid& endpoint, const alert_filter& filter,
                                        const page_request& p) override;
  result<page<alert_record>> alerts(tenant_id tenant, const alert_filter& filter, const page_request& p) override;
  result<alert_record> alert(tenant_id tenant, const uuid& id) override;
  result<void> judge(tenant_id tenant, const uuid& alert, const std::optional<alert_verdict>& word,
                     const std::string& actor) override;
  result<judged_alerts> judged(tenant_id tenant, time_ms from, time_ms to) override;
  result<std::int64_t> replay(tenant_id tenant, const alert_filter& filter, std::optional<uuid> endpoint, bool dry_run,
                              const std::string& actor) override;
  result<std::int64_t> resend(tenant_id tenant, const uuid& alert, bool dry_run, const std::string& actor) override;
  result<std::int64_t> recover(tenant_id tenant, const uuid& endpoint, const alert_filter& filter, bool dry_run,
                               const std::string& actor) override;
  result<std::string> networks(tenant_id tenant) override;
  result<void> set_networks(tenant_id tenant, const std::string& cidrs, const std::string& actor) override;

private:
  session reader_;
  session writer_;
};

} // namespace pulse::postgres
