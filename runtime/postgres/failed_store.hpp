// Failed events to be sent again, under the writer's role with one tenant set. Blocking; one object per worker thread.
#pragma once

#include "ports/failed_store.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_failed_store final : public failed_store {
public:
  pg_failed_store(const std::string& url, const std::string& node);

  result<std::int64_t> count(tenant_id tenant, const failed_selection& which) override;
  result<std::vector<failed_body>> read(tenant_id tenant, const failed_selection& which, std::int64_t max) override;
  result<void> mark_replayed(tenant_id tenant, const std::vector<uuid>& ids) override;

private:
  session db_;
};

} // namespace pulse::postgres
