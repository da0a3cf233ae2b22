// From features to a risk with its reasons: score 0 to 100, level, outcome, and parts whose points add up to the score
// exactly. A pure function of the stored features and the model, so an old score can be recomputed bit for bit.
#pragma once

#include <span>
#include <vector>

#include "models/detection/model.hpp"
#include "models/event/event.hpp"
#include "models/features/features.hpp"
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

/// The model's word on each row; what is not known is taken as typical.
std::vector<detection::scored> score_rows(std::span<const features::row> rows, const detection::model& model);

/// Windows of the features are full after a day: a model fitted on less has never seen what will soon be usual.
inline constexpr std::int64_t settled_history_ms = 2 * day_ms;

/// Fitted on a history shorter than that.
inline bool is_young(const detection::model& model) {
  return model.card().history_ms > 0 && model.card().history_ms < settled_history_ms;
}

/// What the model that scored the row made of it. Points are eighths, which add up without rounding in binary and in
/// decimal. `own_scores` is given when the model was fitted on other shops' events or is young: the score is then
/// calibrated by the tenant's latest, and a part of 0 points says why.
pulse::risk assess(const features::row& row, const detection::model& model, const detection::scored& scored,
                   const recent_scores* own_scores, const risk_policy& policy);

/// The risk without a model is degraded: score 0, outcome approve, one part that says so.
pulse::risk unscored(const risk_policy& policy);

} // namespace pulse::scoring
