#include "http/handlers/stored_events.hpp"

#include <algorithm>
#include <deque>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/event/event_json.hpp"
#include "models/event/standardise.hpp"
#include "models/rules/counterfactual.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;

std::string written(const rules::flip& f) {
  json out{{"from", rules::to_string(f.from)}, {"to", rules::to_string(f.to)}, {"changes", json::array()}};
  for (const auto& c : f.changes)
    out["changes"].push_back({{"name", c.name}, {"from", c.from}, {"to", c.to}});
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

} // namespace

event event_of(const stored_event& s) {
  event e;
  e.id = s.id;
  e.message_id = s.message_id;
  e.type = s.type;
  e.name = s.name;
  e.occurred_at = s.occurred_at;
  e.received_at = s.received_at;
  e.test = s.test;
  e.customer = s.customer;
  e.anonymous_id = s.anonymous_id;
  e.store = s.store;
  e.campaign = s.campaign;
  e.country = s.country;
  e.region = s.region;
  e.city = s.city;
  e.device = s.device;
  e.browser = s.browser;
  e.os = s.os;
  e.bot = s.bot;
  e.referrer = s.referrer;
  e.properties = s.properties_json;
  e.context = s.context_json;
  read_again(e, s.amount ? s.amount->unit : currency{});
  e.risk.score = s.risk_milli / 1000.0;
  e.risk.level = s.risk_level;
  e.risk.outcome = s.risk_outcome;
  e.risk.anomaly = s.anomaly;
  e.risk.model = s.model;
  e.risk.degraded = s.degraded;
  e.risk.parts = read_parts(s.parts_json);
  return e;
}

features::row row_of(const stored_event& s) {
  features::row out;
  out.fill(std::numeric_limits<float>::quiet_NaN());
  std::copy_n(s.features.begin(), std::min(s.features.size(), out.size()), out.begin());
  return out;
}

result<std::shared_ptr<const rules::compiled_lists>> lists_in_force(query_store& store, tenant_id tenant) {
  const auto bytes = store.live_version(tenant, "lists");
  if (!bytes)
    return bytes.err();
  if (!*bytes)
    return std::shared_ptr<const rules::compiled_lists>();
  return rules::compiled_lists::compile(**bytes);
}

std::optional<std::string> flip_json(const deciders& d, const event& e, const features::row& row) {
  if (!d.rules)
    return std::nullopt;
  const auto& set = d.rules;
  const scoring::risk_policy policy;
  const auto said = rules::model_risk(e.risk);
  const rules::subject subject(e, {});
  std::deque<std::string> texts;
  auto values = rules::read_inputs(*set, subject, row, said, [](const rules::input&) { return rules::value{}; });
  for (const auto& p : e.risk.parts)
    if (p.source == "rules" && !rules::restore_inputs(*set, subject, p.detail, texts, values))
      return std::nullopt;
  const auto& model = d.model;
  std::vector<double> typical;
  rules::model_call call;
  if (model) {
    // What the model does not look at is left as it was.
    for (const auto x : row)
      typical.push_back(static_cast<double>(x));
    for (std::size_t j = 0; j < model->columns.size(); ++j)
      typical[model->columns[j]] = model->model->typical(j);
    call = [&](const features::row& changed) {
      return models_say(d, changed);
    };
  }
  return written(rules::find_flip({*set, subject, values, row, typical, call, said, d.lists.get(), policy}));
}

} // namespace pulse::http
