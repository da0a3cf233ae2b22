// Tenants and keys over libpqxx. Blocking; one object per worker thread.
#pragma once

#include "ports/admin_store.hpp"
#include "postgres/pool.hpp"
#include "postgres/time_zones.hpp"

namespace pulse::postgres {

class pg_admin_store final : public admin_store {
public:
  pg_admin_store(const std::string& url, const std::string& node);

  result<tenant_settings> create_tenant(const new_tenant& t, const std::string& actor) override;
  result<std::vector<listed_tenant>> tenants(std::int64_t after, std::int64_t limit) override;
  result<listed_tenant> find_tenant(const std::string& id_or_name) override;
  result<tenant_settings> set_limits(tenant_id tenant, std::optional<std::int64_t> rate,
                                     std::optional<std::int64_t> burst, const std::string& actor) override;
  result<void> delete_tenant(tenant_id tenant, const std::string& actor) override;
  result<std::int64_t> create_key(const new_key& k, const std::string& actor) override;
  result<std::vector<listed_key>> keys(tenant_id tenant) override;
  result<std::string> revoke_key(tenant_id tenant, std::int64_t key, std::optional<time_ms> at,
                                 const std::string& actor) override;

private:
  session node_;
  session writer_;
  time_zones zones_;
};

} // namespace pulse::postgres
