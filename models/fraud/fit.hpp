// Learning the fraud model from labels: XGBoost's histogram trees on one thread with a fixed seed, so that the same
// rows give the same bytes. A label takes its time to arrive; rows that are too young to have theirs are left out.
#pragma once

#include "base/time.hpp"
#include "models/fraud/model.hpp"

namespace pulse::fraud {

/// Seven days.
inline constexpr std::int64_t label_delay_ms = 7 * day_ms;

struct fit_options {
  std::uint32_t rounds = 200;
  std::uint32_t max_depth = 6;
  double learning_rate = 0.1;
  /// Least sum of the loss's second derivatives in a leaf: how many doubtful rows a rule must rest on.
  double min_child_weight = 5;
  double l2 = 1;
  std::uint64_t random_state = 0;
  /// Per feature: 1 where more of it must not lower the risk, -1 the other way, 0 for no rule; empty for none.
  std::vector<int> monotone = {};
};

struct labelled_rows {
  /// Row-major; NaN is missing.
  std::vector<float> values;
  /// 1 for fraud, 0 for none.
  std::vector<float> label;
};

/// The library's own margins, for those who compare. Empty unless asked for.
struct fitted {
  model trees;
  std::vector<float> library_margins;
};

/// Errors: `invalid` for no rows, labels all alike, sizes that do not match; `internal` with what the library said.
result<fitted> fit(const labelled_rows& rows, std::vector<std::string> names, const fit_options& options = {},
                   bool with_library_margins = false);

/// True when at `now` an event's label is final: it is older than the delay. Younger ones are left out whether they are
/// known for fraud or not: frauds alone from the last days would look like a wave.
bool is_mature(time_ms occurred, time_ms now, std::int64_t delay_ms = label_delay_ms);

/// A tenant's own margin, shrunk to the pooled model's while the tenant has few frauds: weight n / (n + 50) for n.
double shrunk_margin(double own, double pooled, std::uint64_t own_frauds);

} // namespace pulse::fraud
