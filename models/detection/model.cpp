// Scoring and explaining; see model.hpp.
#include "models/detection/model.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>

#include "base/assert.hpp"
#include "models/detection/model_data.hpp"

namespace pulse::detection {

namespace {

/// Rows of up to this many columns are scored without touching the heap.
constexpr std::size_t columns_on_stack = 64;

struct feature_row {
  explicit feature_row(std::span<const double> row) {
    if (row.size() > columns_on_stack)
      large.resize(row.size());
    auto* out = large.empty() ? small : large.data();
    for (std::size_t j = 0; j < row.size(); ++j) {
      out[j] = to_feature(row[j]);
      has_missing |= std::isnan(out[j]);
    }
    view = {out, row.size()};
  }

  feature_row(const feature_row&) = delete;
  feature_row& operator=(const feature_row&) = delete;

  float small[columns_on_stack];
  std::vector<float> large;
  std::span<const float> view;
  bool has_missing = false;
};

double excess_sum(const model_data& m, std::span<const double> row) {
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j)
    sum += range_excess(m.ranges[j], row[j]);
  return sum;
}

/// Keeps 2^x inside (0, 1) whatever rounding did.
double inside(double log2_total) {
  return std::clamp(log2_total, -1000.0, -1e-12);
}

} // namespace

float to_feature(double x) {
  return std::isnan(x) ? NAN : static_cast<float>(std::clamp(x, -double{FLT_MAX}, double{FLT_MAX}));
}

model::model(std::shared_ptr<const model_data> data) : data_(std::move(data)) {
}

const std::string& model::id() const {
  return data_->id;
}

const std::vector<std::string>& model::features() const {
  return data_->features;
}

const model_card& model::card() const {
  return data_->card;
}

scored model::score(std::span<const double> row) const {
  const auto& m = *data_;
  PULSE_ASSERT(row.size() == m.features.size(), "a row has one number per feature");
  const feature_row x(row);
  auto total = m.offset;
  for (const auto& f : m.forests)
    total += f.scale * f.log2_score(x.view, x.has_missing);
  if (m.range_scale > 0)
    total += m.range_scale * bounded_excess(excess_sum(m, row));
  total = inside(total);
  scored out;
  out.log2_total = total;
  out.raw = std::exp2(total);
  out.tail = m.calibrated.tail(total);
  out.risk = 100 * (1 - out.tail);
  return out;
}

std::vector<contribution> model::explain(std::span<const double> row) const {
  const auto& m = *data_;
  PULSE_ASSERT(row.size() == m.features.size(), "a row has one number per feature");
  const feature_row x(row);
  std::vector<double> by_column(row.size());
  for (const auto& f : m.forests) {
    if (!(f.c.back() > 0))
      continue;
    const auto scale = -f.scale / static_cast<double>(f.trees.size()) / f.c.back();
    for (const auto& t : f.trees)
      attribute_path(t, x.view, f.c, scale, by_column);
  }
  const auto sum = m.range_scale > 0 ? excess_sum(m, row) : 0;
  std::vector<contribution> out(row.size());
  for (std::size_t j = 0; j < row.size(); ++j) {
    const auto share = sum > 0 ? range_excess(m.ranges[j], row[j]) / sum : 0;
    out[j] = {j, by_column[j], m.range_scale * share * bounded_excess(sum), row[j], m.ranges[j].typical};
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.total() > b.total(); });
  return out;
}

double model::base() const {
  auto total = data_->offset;
  for (const auto& f : data_->forests) {
    if (!(f.c.back() > 0)) {
      total -= f.scale;
      continue;
    }
    double sum = 0;
    for (const auto& t : f.trees)
      sum += t[0].feature == leaf ? t[0].depth + f.c[t[0].n] : static_cast<double>(t[0].value);
    total -= f.scale * sum / static_cast<double>(f.trees.size()) / f.c.back();
  }
  return total;
}

double model::typical(std::size_t feature) const {
  return data_->ranges[feature].typical;
}

double model::raw_limit(double p) const {
  return std::exp2(inside(data_->calibrated.limit(p)));
}

} // namespace pulse::detection
