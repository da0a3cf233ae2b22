// The alert of metrics that moved: what stands in the table, in the receivers' messages and in the console. Pure.
#pragma once

#include "base/money.hpp"
#include "models/alert/candidate.hpp"
#include "models/series/watch.hpp"

namespace pulse::alert {

/// `metric.anomaly` of one incident: `value` and `expected` of the metric that moved most, reasons whose contributions
/// add up to value - expected exactly. Money in `unit`, times on the store's clock. One id per tenant and begin.
candidate metric_candidate(tenant_id tenant, const series::finding& found, currency unit,
                           const std::vector<series::zone_offset>& zone);

/// Why nobody is told of it; begins with `feedback: `.
std::string held_reason(const series::withheld_finding& w);

} // namespace pulse::alert
