// See pooled.hpp.
#include "models/risk/pooled.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::scoring {

namespace {

/// A missing value becomes the column's median, as assess() takes it when it scores.
void fill_missing(std::vector<double>& values, std::size_t columns, std::size_t column) {
  std::vector<double> known;
  for (auto i = column; i < values.size(); i += columns)
    if (!std::isnan(values[i]))
      known.push_back(values[i]);
  const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
  if (!known.empty())
    std::nth_element(known.begin(), middle, known.end());
  const auto typical = known.empty() ? 0 : *middle;
  for (auto i = column; i < values.size(); i += columns)
    if (std::isnan(values[i]))
      values[i] = typical;
}

/// A feature is looked at when at least so many rows, and this share, know it: of what hardly anybody knew nothing is
/// usual, and the first value of it would be far out of range.
constexpr std::size_t known_min = 20;
constexpr double known_share_min = 0.01;

std::vector<std::size_t> columns_of(std::span<const features::row> rows, std::size_t columns_max) {
  std::vector<std::size_t> out;
  for (std::size_t j = 0; j < columns_max; ++j) {
    if (features::labels_only()[j])
      continue;
    const auto known = static_cast<std::size_t>(
        std::count_if(rows.begin(), rows.end(), [j](const features::row& r) { return !std::isnan(r[j]); }));
    if (known >= std::min(known_min, rows.size()) &&
        static_cast<double>(known) >= known_share_min * static_cast<double>(rows.size()))
      out.push_back(j);
  }
  // A model needs a column, though it will say nothing.
  if (out.empty())
    out.push_back(0);
  return out;
}

} // namespace

bool training_due(std::int64_t events_before, std::int64_t events_now) {
  std::int64_t step = own_model_events;
  while (step <= events_before)
    step *= 4;
  return step <= events_now;
}

result<detection::model> fit_on_features(std::span<const features::row> rows, detection::fit_options options,
                                         const file_formats& formats) {
  const auto columns = columns_of(rows, formats.columns);
  std::vector<std::string> names;
  options.one_sided.clear();
  for (const auto j : columns) {
    names.push_back(features::names()[j]);
    options.one_sided.push_back(formats.floors && features::one_sided()[j]);
  }
  std::vector<double> values;
  values.reserve(rows.size() * columns.size());
  for (const auto& row : rows)
    for (const auto j : columns)
      values.push_back(row[j]);
  for (std::size_t j = 0; j < columns.size(); ++j)
    fill_missing(values, columns.size(), j);
  return detection::fit({values, rows.size(), columns.size()}, names, options);
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
