// See pooled.hpp.
#include "models/risk/pooled.hpp"

namespace pulse::scoring {

result<detection::model> fit_on_features(std::span<const features::row> rows, const detection::fit_options& options) {
  std::vector<double> values;
  values.reserve(rows.size() * features::count);
  for (const auto& row : rows)
    values.insert(values.end(), row.begin(), row.end());
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
