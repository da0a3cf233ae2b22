// A tenant's sources over libpqxx, under the roles of reader and writer with one tenant set. Blocking; one object a
// thread.
#pragma once

#include "ports/source_store.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_source_store final : public source_store {
public:
  pg_source_store(const std::string& url, const std::string& node);

  result<std::vector<source_record>> list(tenant_id tenant) override;
  result<source_record> get(tenant_id tenant, const uuid& id) override;
  result<source_change> read(tenant_id tenant, const uuid& id) override;
  result<uuid> create(tenant_id tenant, const source_change& what, const std::string& actor) override;
  result<void> change(tenant_id tenant, const uuid& id, const source_change& what, const std::string& actor) override;
  result<void> remove(tenant_id tenant, const uuid& id, const std::string& actor) override;
  result<std::string> networks(tenant_id tenant) override;
  result<std::optional<claimed_source>> claim(tenant_id tenant, const uuid& id, const std::string& holder,
                                              std::int64_t seconds) override;
  result<void> report(tenant_id tenant, const uuid& id, const std::string& holder, std::int64_t version,
                      const source_report& what) override;
  result<void> release(tenant_id tenant, const uuid& id, const std::string& holder) override;

private:
  result<std::vector<source_record>> find(tenant_id tenant, const std::optional<uuid>& id);

  session reader_;
  session writer_;
};

} // namespace pulse::postgres
