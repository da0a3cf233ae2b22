// See pooled.hpp.
#include "models/risk/pooled.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::scoring {

namespace {

/// A missing value becomes the column's median, as assess() takes it when it scores.
void fill_missing(std::vector<double>& values, std::size_t column) {
  std::vector<double> known;
  for (auto i = column; i < values.size(); i += features::count)
    if (!std::isnan(values[i]))
      known.push_back(values[i]);
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
  if (!known.empty())
    std::nth_element(known.begin(), middle, known.end());
  const auto typical = known.empty() ? 0 : *middle;
  for (auto i = column; i < values.size(); i += features::count)
    if (std::isnan(values[i]))
      values[i] = typical;
}

} // namespace

bool training_due(std::int64_t events_before, std::int64_t events_now) {
  std::int64_t step = own_model_events;
  while (step <= events_before)
    step *= 4;
  return step <= events_now;
}

result<detection::model> fit_on_features(std::span<const features::row> rows, const detection::fit_options& options) {
  std::vector<double> values;
  values.reserve(rows.size() * features::count);
  for (const auto& row : rows)
    values.insert(values.end(), row.begin(), row.end());
  for (std::size_t j = 0; j < features::count; ++j)
    fill_missing(values, j);
  return detection::fit({values, rows.size(), features::count}, features::names(), options);
}

result<detection::model> fit_pooled(std::span<const event> events, const detection::fit_options& options) {
  tenant_scorer scorer;
  std::vector<features::row> rows;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const log_offset at{static_cast<std::int64_t>(i)};
    if (i >= events.size() / 10)
      rows.push_back(scorer.feature_row(events[i]));
    scorer.replay(events[i], at);
  }
  return fit_on_features(rows, options);
}

} // namespace pulse::scoring
