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

std::string version_in(const risk& r, std::string_view source) {
  for (const auto& p : r.parts)
    if (p.source == source)
      return p.name;
  return {};
}

/// The rules that decided; an empty set where none did.
std::shared_ptr<const rules::rule_set> rules_of(query_store& store, tenant_id tenant, const std::string& id) {
  if (id.empty()) {
    const auto none = rules::rule_set::compile(R"({"rules":[]})");
    return none ? *none : nullptr;
  }
  const auto bytes = store.version(tenant, "rules", id);
  if (!bytes)
    return nullptr;
  const auto set = rules::rule_set::load(*bytes);
  return set ? *set : nullptr;
}

/// Nothing for none, and for one that is not the tenant's.
template <class Model, class Placed>
std::optional<Placed> placed_of(query_store& store, tenant_id tenant, const std::string& kind, const std::string& id) {
  if (id.empty())
    return std::nullopt;
  const auto bytes = store.version(tenant, kind, id);
  if (!bytes)
    return std::nullopt;
  auto model = Model::load(*bytes);
  if (!model)
    return std::nullopt;
  auto placed = scoring::place(std::make_shared<const Model>(std::move(*model)));
  return placed ? std::optional<Placed>(std::move(*placed)) : std::nullopt;
}

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

std::optional<std::string> flip_json(query_store& store, tenant_id tenant, const stored_event& s) {
  const auto e = event_of(s);
  const auto row = row_of(s);
  const auto set = rules_of(store, tenant, version_in(e.risk, "rules"));
  if (!set)
    return std::nullopt;
  std::shared_ptr<const rules::compiled_lists> lists;
  if (const auto id = version_in(e.risk, "lists"); !id.empty()) {
    const auto bytes = store.version(tenant, "lists", id);
    if (!bytes)
      return std::nullopt;
    const auto read = rules::compiled_lists::compile(*bytes);
    if (!read)
      return std::nullopt;
    lists = *read;
  }
  const scoring::risk_policy policy;
  const auto said = rules::model_risk(e.risk);
  const rules::subject subject(e, {});
  std::deque<std::string> texts;
  auto values = rules::read_inputs(*set, subject, row, said, [](const rules::input&) { return rules::value{}; });
  for (const auto& p : e.risk.parts)
    if (p.source == "rules" && !rules::restore_inputs(*set, subject, p.detail, texts, values))
      return std::nullopt;
  const auto model = placed_of<detection::model, scoring::placed_model>(store, tenant, "model", s.model);
  const auto judge =
      placed_of<fraud::judge, scoring::placed_judge>(store, tenant, "fraud", version_in(e.risk, "fraud_model"));
  std::vector<double> typical;
  rules::model_call call;
  if (model) {
    // What the model does not look at is left as it was.
    for (const auto x : row)
      typical.push_back(static_cast<double>(x));
    for (std::size_t j = 0; j < model->columns.size(); ++j)
      typical[model->columns[j]] = model->model->typical(j);
    call = [&](const features::row& changed) {
      auto out = scoring::assess(changed, *model, scoring::score_rows({&changed, 1}, *model).front(), nullptr, policy);
      if (judge)
        scoring::add_fraud(out, changed, *judge, policy);
      return out;
    };
  }
  return written(rules::find_flip({*set, subject, values, row, typical, call, said, lists.get(), policy}));
}

} // namespace pulse::http
