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

/// Bits that the local score has to be more sure by.
constexpr double local_handicap = 2;

/// A row with its categories widened.
struct wide_row {
  wide_row(const model_data& m, std::span<const double> row) : view(row) {
    PULSE_ASSERT(row.size() == m.features.size(), "a row has one number per feature");
    if (m.categories.empty())
      return;
    values.resize(m.categories.width());
    m.categories.widen(row, values);
    view = values;
  }

  wide_row(const wide_row&) = delete;
  wide_row& operator=(const wide_row&) = delete;

  std::vector<double> values;
  std::span<const double> view;
};

struct feature_row {
  feature_row(const model_data& m, std::span<const double> row) {
    if (row.size() > columns_on_stack)
      large.resize(row.size());
    auto* out = large.empty() ? small : large.data();
    for (std::size_t j = 0; j < row.size(); ++j) {
      out[j] = to_feature(floored(row[j], m.floors[j]));
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

/// The row in its columns' scales.
struct placed_row {
  placed_row(const model_data& m, std::span<const float> row) {
    if (row.size() > columns_on_stack)
      large.resize(row.size());
    auto* out = large.empty() ? small : large.data();
    for (std::size_t j = 0; j < row.size(); ++j)
      out[j] = m.scales[j].place(row[j]);
    view = {out, row.size()};
  }

  placed_row(const placed_row&) = delete;
  placed_row& operator=(const placed_row&) = delete;

  double small[columns_on_stack];
  std::vector<double> large;
  std::span<const double> view;
};

double bits_sum(const model_data& m, std::span<const float> row) {
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j)
    sum += m.tails[j].bits(row[j]);
  return sum;
}

double mean_bits(const model_data& m) {
  double sum = 0;
  for (const auto& t : m.tails)
    sum += t.mean;
  return sum;
}

/// Adds what the tails and the ellipse say to each column.
void attribute_terms(const model_data& m, std::span<const float> row, std::span<double> by_column) {
  const auto tails = m.tails_term.factor(bits_sum(m, row), mean_bits(m));
  for (std::size_t j = 0; j < row.size(); ++j)
    by_column[j] += tails * (m.tails[j].bits(row[j]) - m.tails[j].mean);
  const placed_row placed(m, row);
  std::vector<double> parts(row.size());
  for (const auto& i : m.inner) {
    i.shape.explain(placed.view, parts);
    const auto factor = i.term.factor(i.shape.value(placed.view), 0);
    for (std::size_t j = 0; j < row.size(); ++j)
      by_column[j] += factor * parts[j];
  }
}

double excess_of(const model_data& m, std::size_t column, double x) {
  return range_excess(m.ranges[column], floored(x, m.floors[column]));
}

double excess_sum(const model_data& m, std::span<const double> row) {
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j)
    sum += excess_of(m, j, row[j]);
  return sum;
}

/// Keeps 2^x inside (0, 1) whatever rounding did.
double inside(double log2_total) {
  return std::clamp(log2_total, -1000.0, -1e-12);
}

/// The score of a row whose forests add up to `forests`.
scored finish(const model_data& m, std::span<const double> row, std::span<const float> x, double forests) {
  scored out;
  auto total = m.offset + forests;
  if (m.range_scale > 0) {
    const placed_row placed(m, x);
    total += m.tails_term.of(bits_sum(m, x)) + m.range_scale * bounded_excess(excess_sum(m, row));
    out.local = m.local.near_scale * m.local.near.value(placed.view);
    for (const auto& i : m.inner) {
      const auto value = i.shape.value(placed.view);
      total += i.term.of(value);
      if (&i == &m.inner.front())
        out.local += m.local.ellipse_scale * value;
    }
  }
  total = inside(total);
  out.log2_total = total;
  out.raw = std::exp2(total);
  out.tail = m.calibrated.tail(total);
  if (!m.local.empty()) {
    out.local_tail = m.local.calibrated.tail(out.local);
    out.local_decides = joint_evidence(1, out.local_tail) > joint_evidence(out.tail, 1);
    out.tail = m.combined.tail(joint_evidence(out.tail, out.local_tail));
  }
  out.risk = 100 * (1 - out.tail);
  return out;
}

scored score_wide(const model_data& m, std::span<const double> row) {
  const feature_row x(m, row);
  double forests = 0;
  for (const auto& f : m.forests)
    forests += f.scale * f.log2_score(x.view, x.has_missing);
  return finish(m, row, x.view, forests);
}

double typical_of(const model_data& m, std::size_t feature) {
  const auto* c = m.categories.find(feature);
  return c != nullptr ? m.categories.typical(*c) : m.ranges[feature].typical;
}

/// What the widened columns came to, one per feature, the largest first.
std::vector<contribution> by_feature(const model_data& m, std::span<const double> row,
                                     std::span<const double> by_column, std::span<const double> by_range) {
  std::vector<contribution> out(row.size());
  for (std::size_t j = 0; j < row.size(); ++j)
    out[j] = {j, 0, 0, row[j], typical_of(m, j)};
  for (std::size_t j = 0; j < by_column.size(); ++j) {
    auto& c = out[m.categories.owner(j)];
    c.model += by_column[j];
    c.range += by_range.empty() ? 0 : by_range[j];
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.total() > b.total(); });
  return out;
}

} // namespace

double joint_evidence(double tail, double local_tail) {
  return std::max(-std::log2(tail), -std::log2(local_tail) - local_handicap);
}

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

const std::vector<std::string>* model::levels(std::size_t feature) const {
  const auto* c = data_->categories.find(feature);
  return c == nullptr ? nullptr : &c->levels;
}

scored model::score(std::span<const double> row) const {
  return score_wide(*data_, wide_row(*data_, row).view);
}

std::vector<scored> model::score_all(matrix_view given) const {
  const auto& m = *data_;
  PULSE_ASSERT(given.columns == m.features.size(), "a row has one number per feature");
  std::vector<double> widened;
  const auto rows = m.categories.widened(given, widened);
  constexpr std::size_t block = 256, few = 8;
  std::vector<scored> out(rows.rows);
  const auto at_once = std::min(block, rows.rows);
  std::vector<float> narrow(at_once * rows.columns);
  std::vector<double> forests(at_once), sums(at_once);
  for (std::size_t first = 0; first < rows.rows; first += block) {
    const auto n = std::min(block, rows.rows - first);
    const auto wide = rows.values.subspan(first * rows.columns, n * rows.columns);
    for (std::size_t i = 0; i < wide.size(); i += rows.columns)
      for (std::size_t j = 0; j < rows.columns; ++j)
        narrow[i + j] = to_feature(floored(wide[i + j], m.floors[j]));
    const row_block walked{std::span(narrow).first(wide.size()), rows.columns};
    // Tree by tree pays for some rows at once; few are walked over all trees.
    bool walkable = n >= few && !walked.has_missing();
    for (const auto& f : m.forests)
      walkable = walkable && f.c > 0;
    std::fill(forests.begin(), forests.end(), 0.0);
    for (const auto& f : m.forests) {
      if (!walkable)
        break;
      std::fill(sums.begin(), sums.end(), 0.0);
      for (std::size_t t = 0; t < f.trees.size(); ++t)
        f.trees.add_path_lengths(t, walked, std::span(sums).first(n));
      for (std::size_t i = 0; i < n; ++i)
        forests[i] += f.scale * f.to_score(sums[i]);
    }
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = wide.subspan(i * rows.columns, rows.columns);
      out[first + i] = walkable ? finish(m, row, std::span(narrow).subspan(i * rows.columns, rows.columns), forests[i])
                                : score_wide(m, row);
    }
  }
  return out;
}

std::vector<contribution> model::explain(std::span<const double> row) const {
  const auto& m = *data_;
  const wide_row wide(m, row);
  const feature_row x(m, wide.view);
  std::vector<double> by_column(wide.view.size()), by_range(wide.view.size());
  for (const auto& f : m.forests)
    if (f.c > 0)
      f.trees.attribute(x.view, x.has_missing, -f.scale / static_cast<double>(f.trees.size()) / f.c, by_column);
  if (m.range_scale > 0)
    attribute_terms(m, x.view, by_column);
  const auto sum = m.range_scale > 0 ? excess_sum(m, wide.view) : 0;
  for (std::size_t j = 0; j < by_range.size() && sum > 0; ++j)
    by_range[j] = m.range_scale * (excess_of(m, j, wide.view[j]) / sum) * bounded_excess(sum);
  return by_feature(m, row, by_column, by_range);
}

std::vector<contribution> model::explain_local(std::span<const double> row) const {
  const auto& m = *data_;
  const wide_row wide(m, row);
  if (m.local.empty())
    return {};
  const feature_row x(m, wide.view);
  const placed_row placed(m, x.view);
  std::vector<double> near(placed.view.size()), inner(placed.view.size());
  m.local.near.explain(placed.view, near);
  if (!m.inner.empty())
    m.inner[0].shape.explain(placed.view, inner);
  for (std::size_t j = 0; j < near.size(); ++j)
    near[j] = m.local.near_scale * near[j] + m.local.ellipse_scale * inner[j];
  return by_feature(m, row, near, {});
}

std::size_t model::memory_bytes() const {
  const auto& m = *data_;
  const auto of = [](const auto& v) {
    return v.capacity() * sizeof v[0];
  };
  auto bytes = sizeof m + of(m.id) + of(m.features) + of(m.ranges) + of(m.floors) + of(m.forests) + of(m.tails) +
               of(m.scales) + of(m.inner) + m.calibrated.memory_bytes() + m.local.calibrated.memory_bytes() +
               m.combined.memory_bytes() + m.local.near.memory_bytes() + m.categories.memory_bytes();
  for (const auto& name : m.features)
    bytes += of(name);
  for (const auto& f : m.forests)
    bytes += f.trees.memory_bytes();
  for (const auto& i : m.inner)
    bytes += i.shape.memory_bytes();
  return bytes;
}

double model::base() const {
  auto total = data_->offset;
  for (const auto& f : data_->forests)
    total -= f.c > 0 ? f.scale * f.trees.root_sum() / static_cast<double>(f.trees.size()) / f.c : f.scale;
  return total + data_->tails_term.of(mean_bits(*data_));
}

double model::typical(std::size_t feature) const {
  return typical_of(*data_, feature);
}

double model::raw_limit(double p) const {
  return std::exp2(inside(data_->calibrated.limit(p)));
}

} // namespace pulse::detection
