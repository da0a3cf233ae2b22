// Metric alerts with what people said of them, as the watch and the report on feedback read them.
#pragma once

#include <vector>

#include "models/series/feedback.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

/// Words older than this ask nothing.
inline constexpr std::int64_t judged_ms = 90 * day_ms;

/// Words given since then, the earliest first; the newest 5,000. Alerts that do not say how heavy they were, made
/// before there was feedback, are left out.
std::vector<series::judged_incident> read_judged(pqxx::work& tx, tenant_id tenant, time_ms since);

} // namespace pulse::postgres
