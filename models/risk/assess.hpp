// From features to a risk with its reasons: score 0 to 100, level, outcome, and parts whose points add up to the score
// exactly. A pure function of the stored features and the model, so an old score can be recomputed bit for bit.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/detection/model.hpp"
#include "models/event/event.hpp"
#include "models/features/features.hpp"
#include "models/fraud/judge.hpp"
#include "models/risk/recent_scores.hpp"

namespace pulse::scoring {

/// Limits on the score; a tenant may have its own.
struct risk_policy {
  double medium = 50;
  double high = 75;
  double critical = 90;
  double review = 75;
  double decline = 95;
  /// Below this score a risk has one part instead of reasons, which cost three times as much as the score.
  double explain_min = 50;
  /// Parts besides the one that holds the rest.
  std::size_t parts_max = 6;
};

/// 100 L^3 / (L^3 + 3) with L = -log10(tail), in eighths: one event in 10 has 25 or more, one in 100 has 72.75, one in
/// 1,000 has 90, one in 10,000 has 95.5.
double score_of_tail(double tail);

/// `low`, `medium`, `high`, `critical`.
const char* level_of(double score, const risk_policy& policy);

/// A model and the places of its columns among the features: it may have been fitted on some of them only.
struct placed_model {
  std::shared_ptr<const detection::model> model;
  std::vector<std::size_t> columns;
};

/// Errors: `invalid` when the model was fitted on a feature that this program does not compute.
result<placed_model> place(std::shared_ptr<const detection::model> model);

/// The places of names among the features; `invalid` for one that there is not.
result<std::vector<std::size_t>> places_of(const std::vector<std::string>& names);

/// The model's word on each row; what is not known is taken as typical.
std::vector<detection::scored> score_rows(std::span<const features::row> rows, const placed_model& placed);

/// Windows of the features are full after a day: a model fitted on less has never seen what will soon be usual.
inline constexpr std::int64_t settled_history_ms = 2 * day_ms;

/// Fitted on a history shorter than that.
inline bool is_young(const detection::model& model) {
  return model.card().history_ms > 0 && model.card().history_ms < settled_history_ms;
}

/// What the model that scored the row made of it. Points are eighths, which add up without rounding in binary and in
/// decimal. `own_scores` is given when the model was fitted on other shops' events or is young: the score is then
/// calibrated by the tenant's latest, and a part of 0 points says why.
pulse::risk assess(const features::row& row, const placed_model& placed, const detection::scored& scored,
                   const recent_scores* own_scores, const risk_policy& policy);

/// The risk without a model is degraded: score 0, outcome approve, one part that says so.
pulse::risk unscored(const risk_policy& policy);

/// The fraud model, placed likewise.
struct placed_judge {
  std::shared_ptr<const fraud::judge> judge;
  std::vector<std::size_t> columns;
};

result<placed_judge> place(std::shared_ptr<const fraud::judge> judge);

/// Adds what the fraud model says: where its score is the higher one it becomes the risk's, and the difference is
/// handed out as parts of source `fraud`. A part of 0 points (source `fraud_model`) names the model and its
/// probability.
void add_fraud(pulse::risk& risk, const features::row& row, const placed_judge& placed, const risk_policy& policy);

/// What a model in shadow would have said, with all its reasons, as a part of 0 points.
risk_part shadow_part(const std::string& model, const pulse::risk& would);

} // namespace pulse::scoring
