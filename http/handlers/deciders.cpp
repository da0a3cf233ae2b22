#include "http/handlers/deciders.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "models/rules/decision.hpp"

namespace pulse::http {

namespace {

/// Nothing for an empty id, and, noted as missing, for one that cannot be read.
std::optional<std::string> bytes_of(query_store& store, tenant_id tenant, const char* kind, const std::string& id,
                                    std::string& missing) {
  if (id.empty())
    return std::nullopt;
  auto bytes = store.version(tenant, kind, id);
  if (bytes)
    return std::move(*bytes);
  if (missing.empty())
    missing = bytes.err().code == ec::not_found
                  ? fmt::format("there is no {} {} of the tenant's own to try it with", kind, id)
                  : bytes.err().detail;
  return std::nullopt;
}

template <class Model, class Placed>
std::optional<Placed> placed_of(const std::optional<std::string>& bytes, const char* kind, std::string& missing) {
  if (!bytes)
    return std::nullopt;
  auto model = Model::load(*bytes);
  auto placed = model ? scoring::place(std::make_shared<const Model>(std::move(*model))) : result<Placed>(model.err());
  if (placed)
    return std::move(*placed);
  if (missing.empty())
    missing = fmt::format("the stored {} cannot be read: {}", kind, placed.err().detail);
  return std::nullopt;
}

bool is_calibrated_by_own(const risk& r) {
  return std::any_of(r.parts.begin(), r.parts.end(), [](const risk_part& p) {
    return p.source == "model" && (p.name == "shared_model" || p.name == "young_model");
  });
}

std::string difference(const risk& stored, const risk& again) {
  if (again.score != stored.score)
    return fmt::format("it comes out as {} instead of {}", again.score, stored.score);
  if (again.outcome != stored.outcome || again.level != stored.level)
    return fmt::format("it comes out as {} ({}) instead of {} ({})", again.outcome, again.level, stored.outcome,
                       stored.level);
  if (again.anomaly != stored.anomaly || again.degraded != stored.degraded)
    return "the model's own score comes out otherwise";
  const auto [a, b] = std::mismatch(again.parts.begin(), again.parts.end(), stored.parts.begin(), stored.parts.end());
  if (b != stored.parts.end())
    return fmt::format("its part {} {} comes out otherwise", b->source, b->name);
  return a == again.parts.end() ? std::string() : fmt::format("a part {} {} comes out besides", a->source, a->name);
}

} // namespace

deciders deciders_of(query_store& store, tenant_id tenant, const event& e) {
  deciders out;
  const auto named = [&](std::string_view source) {
    const auto found =
        std::find_if(e.risk.parts.begin(), e.risk.parts.end(), [&](const risk_part& p) { return p.source == source; });
    return found == e.risk.parts.end() ? std::string() : found->name;
  };
  const auto rules_id = named("rules");
  out.by_rules = !rules_id.empty();
  out.model = placed_of<detection::model, scoring::placed_model>(
      bytes_of(store, tenant, "model", e.risk.model, out.missing), "model", out.missing);
  out.judge = placed_of<fraud::judge, scoring::placed_judge>(
      bytes_of(store, tenant, "fraud", named("fraud_model"), out.missing), "fraud model", out.missing);
  const auto rules = out.by_rules ? bytes_of(store, tenant, "rules", rules_id, out.missing)
                                  : std::optional<std::string>(R"({"rules":[]})");
  if (const auto set = rules ? rules::rule_set::load(*rules) : error{ec::not_found, "", ""})
    out.rules = *set;
  const auto lists_id = named("lists");
  const auto lists = bytes_of(store, tenant, "lists", lists_id, out.missing);
  if (const auto read = lists ? rules::compiled_lists::compile(*lists) : error{ec::not_found, "", ""})
    out.lists = *read;
  if (!lists_id.empty() && !out.lists)
    out.rules = nullptr;
  if (!out.rules && out.missing.empty())
    out.missing = "the stored rules or lists cannot be read";
  return out;
}

risk models_say(const deciders& d, const features::row& row) {
  const scoring::risk_policy policy;
  auto out = d.model ? scoring::assess(row, *d.model, scoring::score_rows({&row, 1}, *d.model).front(), nullptr, policy)
                     : scoring::unscored(policy);
  if (d.judge)
    scoring::add_fraud(out, row, *d.judge, policy);
  return out;
}

std::string recompute_fault(const deciders& d, const event& e, const features::row& row) {
  if (is_calibrated_by_own(e.risk))
    return "its score was set against the tenant's latest ones (a shared or young model), which are not kept";
  if (!d.missing.empty())
    return d.missing;
  auto stored = rules::model_risk(e.risk);
  std::erase_if(stored.parts, [](const risk_part& p) { return p.source == "shadow_model"; });
  const auto said = models_say(d, row);
  if (d.by_rules) {
    // Kept are the level and outcome that models and rules had together: these are compared below.
    stored.level = said.level;
    stored.outcome = said.outcome;
  } else {
    stored.score = e.risk.score;
  }
  if (auto fault = difference(stored, said); !d.by_rules || !fault.empty())
    return fault.empty() ? fault : "by the models: " + fault;
  const auto again = rules::recompute(*d.rules, e, row, {}, d.lists.get(), {});
  return again ? difference(e.risk, again->risk) : again.err().detail;
}

} // namespace pulse::http
