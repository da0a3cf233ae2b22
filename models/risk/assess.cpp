// See assess.hpp.
#include "models/risk/assess.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace pulse::scoring {

namespace {

constexpr double steps = 8;

struct share {
  risk_part part;
  double amount = 0;
};

/// Everything that raised the score, the largest first: of the local score where that decides.
std::vector<share> raising(const detection::model& model, std::span<const double> row, const features::row& known,
                           bool local) {
  std::vector<share> out;
  const auto add = [&](const char* source, const detection::contribution& c, double amount) {
    if (!(amount > 0) || std::isnan(known[c.feature]))
      return;
    share s{{source, model.features()[c.feature], 0, features::describe(c.feature, c.value, c.typical), {}, {}},
            amount};
    if (*source == 'r')
      s.part.detail += ", outside the usual range";
    if (*source == 'l')
      s.part.detail += ", unusual together with the rest";
    s.part.value = features::natural(c.feature, c.value);
    s.part.typical = features::natural(c.feature, c.typical);
    out.push_back(std::move(s));
  };
  if (local)
    for (const auto& c : model.explain_local(row))
      add("local", c, c.model);
  else
    for (const auto& c : model.explain(row)) {
      add("model", c, c.model);
      add("range", c, c.range);
    }
  std::stable_sort(out.begin(), out.end(), [](const share& a, const share& b) { return a.amount > b.amount; });
  return out;
}

/// Hands the score out in whole steps by amount; what is left over, and all that got no step, is one last part.
std::vector<risk_part> hand_out(std::vector<share> shares, double score, std::size_t parts_max) {
  double sum = 0;
  for (const auto& s : shares)
    sum += s.amount;
  auto left = score;
  std::vector<risk_part> out;
  for (auto& s : shares) {
    if (out.size() == parts_max)
      break;
    s.part.points = std::floor(score * steps * (s.amount / sum)) / steps;
    if (s.part.points <= 0 || s.part.points > left)
      break;
    left -= s.part.points;
    out.push_back(std::move(s.part));
  }
  if (left > 0)
    out.push_back({"model", "other", left, "all other features together", {}, {}});
  return out;
}

/// What is not known is taken as typical, in training too: walking both branches of every split costs ten times as
/// much, and most events miss something. It never becomes a reason.
std::array<double, features::count> known_or_typical(const features::row& row, const detection::model& model) {
  std::array<double, features::count> out;
  for (std::size_t j = 0; j < out.size(); ++j)
    out[j] = std::isnan(row[j]) ? model.typical(j) : static_cast<double>(row[j]);
  return out;
}

const char* outcome_of(double score, const risk_policy& p) {
  return score >= p.decline ? "decline" : score >= p.review ? "review" : "approve";
}

} // namespace

const char* level_of(double score, const risk_policy& p) {
  return score >= p.critical ? "critical" : score >= p.high ? "high" : score >= p.medium ? "medium" : "low";
}

double score_of_tail(double tail) {
  const auto l = -std::log10(std::clamp(tail, 1e-12, 1.0));
  const auto cube = l * l * l;
  return std::round(100 * cube / (cube + 3) * steps) / steps;
}

std::vector<detection::scored> score_rows(std::span<const features::row> rows, const detection::model& model) {
  std::vector<double> wide;
  wide.reserve(rows.size() * features::count);
  for (const auto& row : rows) {
    const auto filled = known_or_typical(row, model);
    wide.insert(wide.end(), filled.begin(), filled.end());
  }
  return model.score_all({wide, rows.size(), features::count});
}

pulse::risk unscored(const risk_policy& policy) {
  pulse::risk out;
  out.level = level_of(0, policy);
  out.outcome = outcome_of(0, policy);
  out.degraded = true;
  out.parts.push_back({"model", "no_model", 0, "no model yet: the event was not scored", {}, {}});
  return out;
}

pulse::risk assess(const features::row& row, const detection::model& model, const detection::scored& scored,
                   const recent_scores* own_scores, const risk_policy& policy) {
  pulse::risk out;
  const auto tail = own_scores == nullptr ? scored.tail : own_scores->tail(model.id(), scored.raw, scored.tail);
  out.score = score_of_tail(tail);
  out.level = level_of(out.score, policy);
  out.outcome = outcome_of(out.score, policy);
  out.anomaly = scored.raw;
  out.model = model.id();
  if (out.score < policy.explain_min)
    out.parts.push_back(
        {"model", "ordinary", out.score, fmt::format("less unusual than {:.1f} % of events", 100 * tail), {}, {}});
  else
    out.parts =
        hand_out(raising(model, known_or_typical(row, model), row, scored.local_decides), out.score, policy.parts_max);
  if (own_scores != nullptr && is_young(model))
    out.parts.push_back({"model", "young_model", 0, "model of a short history: less than two days of events", {}, {}});
  else if (own_scores != nullptr)
    out.parts.push_back({"model", "shared_model", 0, "shared model: fewer than 500 events", {}, {}});
  return out;
}

} // namespace pulse::scoring
