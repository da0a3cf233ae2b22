// See assess.hpp.
#include "models/risk/assess.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

namespace pulse::scoring {

namespace {

constexpr double steps = 8;

struct share {
  risk_part part;
  double amount = 0;
};

/// Everything that raised the score, the largest first: of the local score where that decides.
std::vector<share> raising(const placed_model& placed, std::span<const double> row, const features::row& known,
                           bool local) {
  const auto& model = *placed.model;
  std::vector<share> out;
  const auto add = [&](const char* source, const detection::contribution& c, double amount) {
    const auto feature = placed.columns[c.feature];
    if (!(amount > 0) || std::isnan(known[feature]))
      return;
    share s{{source, model.features()[c.feature], 0, features::describe(feature, c.value, c.typical), {}, {}}, amount};
    if (*source == 'r')
      s.part.detail += ", outside the usual range";
    if (*source == 'l')
      s.part.detail += ", unusual together with the rest";
    s.part.value = features::natural(feature, c.value);
    s.part.typical = features::natural(feature, c.typical);
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
std::vector<risk_part> hand_out(std::vector<share> shares, double score, std::size_t parts_max,
                                const char* source = "model") {
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
    out.push_back({source, "other", left, "all other features together", {}, {}});
  return out;
}

/// What is not known is taken as typical, in training too: walking both branches of every split costs ten times as
/// much, and most events miss something. It never becomes a reason.
class known_or_typical {
public:
  known_or_typical(const features::row& row, const placed_model& placed) : size_(placed.columns.size()) {
    for (std::size_t j = 0; j < size_; ++j) {
      const auto x = row[placed.columns[j]];
      values_[j] = std::isnan(x) ? placed.model->typical(j) : static_cast<double>(x);
    }
  }

  operator std::span<const double>() const {
    return {values_.data(), size_};
  }

private:
  std::array<double, features::count> values_;
  std::size_t size_;
};

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

result<std::vector<std::size_t>> places_of(const std::vector<std::string>& names) {
  const auto& all = features::names();
  std::vector<std::size_t> out;
  for (const auto& name : names) {
    const auto found = std::find(all.begin(), all.end(), name);
    if (found == all.end() || out.size() == all.size())
      return error{ec::invalid, fmt::format("'{}' is no feature that this program computes", name), {}};
    out.push_back(static_cast<std::size_t>(found - all.begin()));
  }
  return out;
}

result<placed_model> place(std::shared_ptr<const detection::model> model) {
  auto columns = places_of(model->features());
  if (!columns)
    return columns.err();
  return placed_model{std::move(model), std::move(*columns)};
}

result<placed_judge> place(std::shared_ptr<const fraud::judge> judge) {
  auto columns = places_of(judge->trees().features());
  if (!columns)
    return columns.err();
  return placed_judge{std::move(judge), std::move(*columns)};
}

std::vector<detection::scored> score_rows(std::span<const features::row> rows, const placed_model& placed) {
  std::vector<double> wide;
  wide.reserve(rows.size() * placed.columns.size());
  for (const auto& row : rows) {
    const known_or_typical filled(row, placed);
    const std::span<const double> values = filled;
    wide.insert(wide.end(), values.begin(), values.end());
  }
  return placed.model->score_all({wide, rows.size(), placed.columns.size()});
}

pulse::risk unscored(const risk_policy& policy) {
  pulse::risk out;
  out.level = level_of(0, policy);
  out.outcome = outcome_of(0, policy);
  out.degraded = true;
  out.parts.push_back({"model", "no_model", 0, "no model yet: the event was not scored", {}, {}});
  return out;
}

pulse::risk assess(const features::row& row, const placed_model& placed, const detection::scored& scored,
                   const recent_scores* own_scores, const risk_policy& policy) {
  pulse::risk out;
  const auto& model = *placed.model;
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
    out.parts = hand_out(raising(placed, known_or_typical(row, placed), row, scored.local_decides), out.score,
                         policy.parts_max);
  if (own_scores != nullptr && is_young(model))
    out.parts.push_back({"model", "young_model", 0, "model of a short history: less than two days of events", {}, {}});
  else if (own_scores != nullptr)
    out.parts.push_back({"model", "shared_model", 0, "shared model: fewer than 500 events", {}, {}});
  return out;
}

void add_fraud(pulse::risk& risk, const features::row& row, const placed_judge& placed, const risk_policy& policy) {
  const auto& judge = *placed.judge;
  std::vector<float> asked;
  for (const auto j : placed.columns)
    asked.push_back(row[j]);
  const auto tail = judge.tail(judge.trees().margin(asked));
  const auto score = score_of_tail(tail);
  if (score > risk.score) {
    std::vector<share> shares;
    for (const auto& c : judge.trees().explain(asked)) {
      const auto j = placed.columns[c.feature];
      const auto x = static_cast<double>(row[j]);
      if (c.amount > 0 && !std::isnan(x))
        shares.push_back(
            {{"fraud", features::names()[j], 0, features::describe(j, x), features::natural(j, x), {}}, c.amount});
    }
    auto parts = hand_out(std::move(shares), score - risk.score, policy.parts_max, "fraud");
    risk.parts.insert(risk.parts.end(), std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
    risk.score = score;
    risk.level = level_of(score, policy);
    risk.outcome = outcome_of(score, policy);
  }
  const auto probability = judge.trees().probability(asked);
  risk.parts.push_back({"fraud_model",
                        judge.id(),
                        0,
                        fmt::format("probability of fraud {:.4f}; as suspicious as {:.2f} % of legitimate events",
                                    probability, 100 * tail),
                        probability,
                        {}});
}

risk_part shadow_part(const std::string& model, const pulse::risk& would) {
  auto detail = fmt::format("would score {}, {}", would.score, would.outcome);
  const char* separator = ": ";
  for (const auto& p : would.parts) {
    if (p.points == 0)
      continue;
    detail += fmt::format("{}{} {:+} ({})", separator, p.name, p.points, p.detail);
    separator = "; ";
  }
  return {"shadow_model", model, 0, std::move(detail), would.score, {}};
}

} // namespace pulse::scoring
