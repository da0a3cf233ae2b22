// Labels of events, under the writer's role with one tenant set. Blocking; one object per worker thread.
#pragma once

#include "ports/label_store.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_label_store final : public label_store {
public:
  pg_label_store(const std::string& url, const std::string& node);

  result<labelled> put(tenant_id tenant, std::span<const given_label> labels, time_ms from, time_ms to,
                       const std::string& actor) override;
  result<page_of<stored_label>> list(tenant_id tenant, const query::page_question& q) override;
  result<std::vector<judged_event>> judged(tenant_id tenant, time_ms from, time_ms to, std::int64_t max) override;

private:
  session db_;
};

} // namespace pulse::postgres
