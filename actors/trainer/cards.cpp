#include "actors/trainer/cards.hpp"

#include <nlohmann/json.hpp>

namespace pulse {

namespace {

using json = nlohmann::ordered_json;

json ranking_json(const std::optional<fraud::ranking>& r) {
  if (!r)
    return nullptr;
  return {{"auroc", r->auroc},
          {"average_precision", r->average_precision},
          {"recall_at_1_percent", r->recall_at_1_percent}};
}

} // namespace

std::string card_of(const detection::model& model, const feature_history& history) {
  const auto& card = model.card();
  return json{{"rows", card.rows},
              {"from", format_time(history.at.front())},
              {"to", format_time(history.at.back())},
              {"n_estimators", card.n_estimators},
              {"max_samples", card.max_samples},
              {"random_state", card.random_state},
              {"history_ms", card.history_ms},
              {"features", model.features()}}
      .dump();
}

std::string card_of(const fraud::outcome& o, const fraud::fit_options& options) {
  return json{
      {"kind", "fraud"},
      {"rows", o.rows},
      {"frauds", o.frauds},
      {"from", format_time(o.from)},
      {"to", format_time(o.to)},
      {"held_out", {{"from", format_time(o.held_out_from)}, {"rows", o.held_out_rows}, {"frauds", o.held_out_frauds}}},
      {"quality", ranking_json(o.challenger_rank)},
      {"champion", ranking_json(o.champion_rank)},
      {"passed", o.passed},
      {"why", o.why},
      {"label_delay_days", fraud::label_delay_ms / day_ms},
      {"rounds", options.rounds},
      {"max_depth", options.max_depth},
      {"random_state", options.random_state},
      {"features", o.challenger->trees().features()}}
      .dump();
}

std::string drift_json(const scoring::drift_report& r, time_ms now) {
  json findings = json::array();
  std::string names;
  for (const auto& f : r.findings) {
    if (!f.drifted)
      continue;
    findings.push_back({{"name", f.name}, {"psi", f.psi}, {"psi_limit", f.psi_limit}, {"ks", f.ks}, {"p", f.p}});
    names += (names.empty() ? "" : ", ") + f.name;
  }
  return json{{"at", format_time(now)},
              {"reference_rows", r.reference_rows},
              {"rows", r.rows},
              {"drifted", findings},
              {"proposal", names.empty() ? json(nullptr) : json("train anew: events have changed in " + names)}}
      .dump();
}

} // namespace pulse
