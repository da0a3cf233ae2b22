#include "actors/series_watcher/series_watcher.hpp"

#include <fmt/format.h>

#include "models/alert/metric_alert.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// A look that failed is made again after so long.
constexpr std::int64_t retry_s = 600;
constexpr std::int64_t late_ms = 5 * minute_ms;
constexpr std::int64_t spread_ms = 4 * minute_ms;

} // namespace

time_ms next_look(tenant_id tenant, time_ms now) {
  const auto share = static_cast<std::int64_t>(static_cast<std::uint32_t>(tenant.value) * 2'654'435'769U % 240U);
  return {(now.value / hour_ms + 1) * hour_ms + late_ms + share * spread_ms / 240};
}

series_watcher_state::series_watcher_state(series_watcher_actor::pointer p, context_ptr c) :
  self(p), context(std::move(c)) {
}

result<std::int64_t> series_watcher_state::look(tenant_id tenant) {
  const auto store = context->make_series_store();
  if (auto claimed = store->claim(tenant, retry_s); !claimed)
    return claimed.err();
  const auto now = context->time.now();
  const auto history = store->history(tenant, now, history_weeks);
  if (!history)
    return history.err();
  const auto found = series::watch(history->question, history->config);
  watch_findings alerts;
  const auto unit = parse_currency(history->currency).value_or(currency{});
  for (const auto& f : found.told)
    alerts.told.push_back(alert::metric_candidate(tenant, f, unit, history->question.zone));
  for (const auto& w : found.withheld) {
    alerts.held.push_back(
        {alert::metric_candidate(tenant, w.what, unit, history->question.zone), alert::held_reason(w)});
    log::info("metric_alert_withheld", "series_watcher", alerts.held.back().reason, {tenant, {}, ""});
  }
  return store->conclude(tenant, history->to, alerts, next_look(tenant, now));
}

series_watcher_actor::behavior_type series_watcher_state::make_behavior() {
  return {
      [this](watch_atom, tenant_id tenant) -> caf::result<std::int64_t> {
        const auto found = look(tenant);
        self->quit();
        if (!found) {
          log::warning("series_not_judged", "series_watcher", found.err().detail, {tenant, {}, ""});
          return std::int64_t{0};
        }
        if (*found > 0)
          log::info("metrics_out_of_the_ordinary", "series_watcher", fmt::format("{} alerts", *found),
                    {tenant, {}, ""});
        return *found;
      },
  };
}

} // namespace pulse
