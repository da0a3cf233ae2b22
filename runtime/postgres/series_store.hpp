// What the watch over metrics reads and keeps, over libpqxx. Blocking; one object per watch.
#pragma once

#include "ports/series_store.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_series_store final : public series_store {
public:
  pg_series_store(const std::string& url, const std::string& node);

  result<void> claim(tenant_id tenant, std::int64_t seconds) override;
  result<metric_history> history(tenant_id tenant, time_ms now, int weeks) override;
  result<std::int64_t> conclude(tenant_id tenant, time_ms judged_to, const watch_findings& found,
                                time_ms next) override;

private:
  session writer_;
};

} // namespace pulse::postgres
