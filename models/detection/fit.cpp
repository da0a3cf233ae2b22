// Fitting: grows the forests, scales them against each other and calibrates, all on rows out of bag; see model.hpp.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "models/detection/model.hpp"
#include "models/detection/model_data.hpp"

namespace pulse::detection {

namespace {

constexpr std::size_t calibration_rows_max = 10'000;
constexpr std::size_t folds = 4;

/// An infinity becomes one width beyond the finite values: far out, without spoiling every threshold.
float_matrix to_floats(matrix_view rows) {
  float_matrix out{std::vector<float>(rows.values.size()), rows.rows, rows.columns};
  for (std::size_t j = 0; j < rows.columns; ++j) {
    double low = INFINITY, high = -INFINITY;
    for (std::size_t i = 0; i < rows.rows; ++i)
      if (const auto x = rows.values[i * rows.columns + j]; std::isfinite(x))
        low = std::min(low, x), high = std::max(high, x);
    if (low > high)
      low = high = 0;
    const auto width = high > low ? high - low : 1;
    for (std::size_t i = 0; i < rows.rows; ++i) {
      const auto x = rows.values[i * rows.columns + j];
      out.values[i * rows.columns + j] = to_feature(std::isinf(x) ? (x > 0 ? high + width : low - width) : x);
    }
  }
  return out;
}

struct grown {
  forest f;
  /// Per tree, ascending row numbers.
  std::vector<std::vector<std::uint32_t>> samples;
};

void run(const fit_options& options, std::size_t count, const std::function<void(std::size_t)>& body) {
  if (options.for_each)
    return options.for_each(count, body);
  for (std::size_t i = 0; i < count; ++i)
    body(i);
}

grown grow_forest(const float_matrix& data, split_rule rule, const fit_options& options) {
  grown out;
  auto psi = std::min<std::size_t>(options.max_samples, data.rows);
  // The calibration needs rows that a tree has not seen; scikit-learn's own forest takes all of a small set.
  if (options.kind == model_kind::bundle)
    psi = std::min(psi, std::max<std::size_t>(1, data.rows * 632 / 1000));
  out.f.rule = rule;
  out.f.psi = static_cast<std::uint32_t>(psi);
  out.f.c = path_length_table(out.f.psi);
  out.f.trees.resize(options.n_estimators);
  out.samples.resize(options.n_estimators);
  run(options, options.n_estimators, [&](std::size_t i) {
    random_stream random(options.random_state, static_cast<std::uint64_t>(rule) << 32 | i);
    out.samples[i] = draw_sample(data.rows, out.f.psi, random);
    out.f.trees[i] = grow_tree(data, out.samples[i], rule, random, out.f.c);
    if (options.tree_done)
      options.tree_done();
  });
  return out;
}

/// Rows the calibration looks at: all, or so many at even distances.
std::vector<std::uint32_t> calibration_rows(std::size_t rows) {
  const auto n = std::min(rows, calibration_rows_max);
  std::vector<std::uint32_t> out(n);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<std::uint32_t>(i * rows / n);
  return out;
}

/// log2 score of each row by the trees that had not seen it; by all where every tree had.
std::vector<double> out_of_bag(const grown& g, const float_matrix& data, std::span<const std::uint32_t> rows,
                               const fit_options& options) {
  std::vector<double> out(rows.size(), -1);
  if (!(g.f.c.back() > 0))
    return out;
  constexpr std::size_t block = 256;
  run(options, (rows.size() + block - 1) / block, [&](std::size_t b) {
    for (auto k = b * block; k < std::min(rows.size(), (b + 1) * block); ++k) {
      const auto row = data.row(rows[k]);
      const auto missing = std::any_of(row.begin(), row.end(), [](float x) { return std::isnan(x); });
      double sum = 0, seen = 0, sum_all = 0;
      for (std::size_t i = 0; i < g.f.trees.size(); ++i) {
        const auto h = path_length(g.f.trees[i], row, g.f.c, missing);
        sum_all += h;
        if (!std::binary_search(g.samples[i].begin(), g.samples[i].end(), rows[k]))
          sum += h, ++seen;
      }
      out[k] = -(seen > 0 ? sum / seen : sum_all / static_cast<double>(g.f.trees.size())) / g.f.c.back();
    }
  });
  return out;
}

double quantile(std::vector<double>& values, double p) {
  const auto k = static_cast<std::ptrdiff_t>(p * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + k, values.end());
  return values[static_cast<std::size_t>(k)];
}

/// Scales each forest by its own median and p10-p90 span and places the sum so that the median row has log2_total -1
/// and the most unusual one thinkable stays below 0.
void scale_bundle(model_data& m, const std::vector<std::vector<double>>& scores) {
  const auto share = 1 / static_cast<double>(m.forests.size());
  double centre_sum = 0, highest = range_limit;
  for (std::size_t k = 0; k < m.forests.size(); ++k) {
    auto values = scores[k];
    const auto centre = quantile(values, 0.5);
    const auto span = quantile(values, 0.9) - quantile(values, 0.1);
    // Rows that are all alike leave no span: then a hundredth of the score's own range is one.
    m.forests[k].scale = share / std::max(span, 0.01);
    centre_sum += m.forests[k].scale * centre;
    highest += m.forests[k].scale * (0 - centre);
  }
  const auto unit = 0.99 / highest;
  for (auto& f : m.forests)
    f.scale *= unit;
  m.offset = -1 - unit * centre_sum;
  m.range_scale = unit;
}

result<void> check(matrix_view rows, const std::vector<std::string>& names, const fit_options& options) {
  const auto refuse = [](std::string why) -> result<void> {
    return error{ec::invalid, std::move(why), {}};
  };
  if (rows.rows == 0)
    return refuse("no rows to fit on");
  if (rows.columns == 0 || rows.columns >= leaf)
    return refuse(fmt::format("{} feature columns; 1 to 65,534 are possible", rows.columns));
  if (rows.rows > 0xffffffffu || rows.values.size() != rows.rows * rows.columns)
    return refuse("the matrix's size does not match its rows and columns");
  if (names.size() != rows.columns)
    return refuse(fmt::format("{} names for {} columns", names.size(), rows.columns));
  if (options.n_estimators < 1 || options.n_estimators > 10'000)
    return refuse(fmt::format("n_estimators is {}; 1 to 10,000 are possible", options.n_estimators));
  if (options.max_samples < 2 || options.max_samples > 65'536)
    return refuse(fmt::format("max_samples is {}; 2 to 65,536 are possible", options.max_samples));
  return {};
}

/// Ranges of all rows but those of one fold (row number modulo `folds`); of all rows when fold is `folds`.
std::vector<column_range> fit_ranges(matrix_view rows, std::size_t fold, const fit_options& options) {
  std::vector<column_range> out(rows.columns);
  run(options, rows.columns, [&](std::size_t j) {
    std::vector<double> column;
    column.reserve(rows.rows);
    for (std::size_t i = 0; i < rows.rows; ++i)
      if (i % folds != fold)
        column.push_back(rows.values[i * rows.columns + j]);
    out[j] = fit_range(std::move(column), rows.columns);
  });
  return out;
}

/// Bounded excess of the rows, each measured against ranges that were made without it.
std::vector<double> unseen_excess(matrix_view rows, std::span<const std::uint32_t> looked_at,
                                  const fit_options& options) {
  std::vector<double> out(looked_at.size());
  for (std::size_t fold = 0; fold < folds; ++fold) {
    const auto ranges = fit_ranges(rows, fold, options);
    for (std::size_t i = 0; i < looked_at.size(); ++i) {
      if (looked_at[i] % folds != fold)
        continue;
      double sum = 0;
      for (std::size_t j = 0; j < rows.columns; ++j)
        sum += range_excess(ranges[j], rows.values[looked_at[i] * rows.columns + j]);
      out[i] = bounded_excess(sum);
    }
  }
  return out;
}

} // namespace

result<model> fit(matrix_view rows, std::vector<std::string> names, const fit_options& options) {
  if (auto good = check(rows, names, options); !good)
    return good.err();
  auto m = std::make_shared<model_data>();
  m->card = {options.kind, options.n_estimators, options.max_samples, options.random_state, rows.rows};
  m->features = std::move(names);
  m->ranges = fit_ranges(rows, folds, options);
  const auto data = to_floats(rows);
  const auto looked_at = calibration_rows(rows.rows);
  std::vector<split_rule> rules{split_rule::plain};
  if (options.kind == model_kind::bundle)
    rules.insert(rules.end(), {split_rule::pooled_gain, split_rule::full_gain, split_rule::kurtosis});
  std::vector<std::vector<double>> scores;
  for (auto rule : rules) {
    auto g = grow_forest(data, rule, options);
    scores.push_back(out_of_bag(g, data, looked_at, options));
    g.f.pack();
    m->forests.push_back(std::move(g.f));
  }
  if (options.kind == model_kind::bundle)
    scale_bundle(*m, scores);
  std::vector<double> totals(looked_at.size(), m->offset);
  if (m->range_scale > 0) {
    const auto excess = unseen_excess(rows, looked_at, options);
    for (std::size_t i = 0; i < totals.size(); ++i)
      totals[i] += m->range_scale * excess[i];
  }
  for (std::size_t k = 0; k < m->forests.size(); ++k)
    for (std::size_t i = 0; i < totals.size(); ++i)
      totals[i] += m->forests[k].scale * scores[k][i];
  m->calibrated = fit_calibration(std::move(totals));
  m->id = file_id(encode_model(*m));
  return model(std::move(m));
}

} // namespace pulse::detection
