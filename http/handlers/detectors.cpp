#include "http/handlers/detectors.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "http/handlers/problems.hpp"
#include "models/alert/metric_alert.hpp"
#include "models/series/watch_settings.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;

json incident_json(const alert::candidate& a, const series::finding& f) {
  return {{"from", format_time(f.first)},
          {"to", format_time({f.last.value + hour_ms})},
          {"title", a.title},
          {"summary", a.summary},
          {"severity", a.severity},
          {"strength", series::strength_of(f)},
          {"data", json::parse(a.data)}};
}

response dry_run(series_store& store, tenant_id tenant, time_ms now, const std::optional<series::watch_config>& asked) {
  const auto history = store.history(tenant, now, history_weeks);
  if (!history)
    return response::problem(history.err());
  const auto& q = history->question;
  const auto config = asked.value_or(history->config);
  const auto found = series::simulate(q, config);
  const auto unit = parse_currency(history->currency).value_or(currency{});
  auto incidents = json::array();
  for (const auto& f : found.told)
    incidents.push_back(incident_json(alert::metric_candidate(tenant, f, unit, q.zone), f));
  const auto hours = (history->to.value - q.from.value) / hour_ms;
  json out{
      {"from", format_time(q.from)}, {"to", format_time(history->to)}, {"hours", hours}, {"per_week", config.per_week},
      {"held", found.held},          {"data", std::move(incidents)}};
  if (hours <= static_cast<std::int64_t>(config.hours_min))
    out["hint"] = "the watch needs three days of events before it says anything: send orders, or import some";
  return response::json(200, out.dump());
}

} // namespace

route detectors_dry_run_route(const std::shared_ptr<store_pool<series_store>>& stores, const clock& time) {
  route r;
  r.method = "POST";
  r.pattern = "/v1/detectors/dry-run";
  r.needed = scope::read;
  r.handle = [stores, &time](request in, responder answer) {
    std::optional<series::watch_config> config;
    if (!in.body.empty()) {
      if (const auto problems = series::check_watch_settings(in.body); !problems.empty())
        return answer(refused_document("detectors", as_notes(problems)));
      config = series::watch_settings::compile(in.body)->config;
    }
    stores->run(std::move(answer), [tenant = in.who.tenant, now = time.now(), config](series_store& s) {
      return dry_run(s, tenant, now, config);
    });
  };
  return r;
}

} // namespace pulse::http
