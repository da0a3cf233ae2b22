// Fitting: grows the forests, fits the terms beside them, scales all against each other and calibrates, on what they
// say about rows they had not seen; see model.hpp.
#include <algorithm>
#include <cfloat>
#include <cmath>

#include <fmt/format.h>

#include "models/detection/fit_check.hpp"
#include "models/detection/held_out.hpp"

namespace pulse::detection {

namespace {

/// Share of training rows that reach a term's ceiling; see capped_term.
constexpr double ceiling_share = 0.02;
/// The plain forest counts twice, everything else once. Equal weights lose half a point on sets whose odd rows the
/// plain forest finds best; no set gains or loses more than two points by any weights near these.
constexpr double plain_weight = 2;
/// Fewer rows than this for each column do not say how columns go together (Rousseeuw and Van Driessen's n > 5p).
constexpr std::size_t ellipse_rows_a_column = 5;
/// Least spans, for rows that are all alike: a hundredth of a forest score's own range, half a bit for the terms.
constexpr double forest_span_min = 0.01;
constexpr double term_span_min = 0.5;
/// Apart from the streams of the trees.
constexpr std::uint64_t neighbours_stream = std::uint64_t{0xff} << 32;

/// An infinity becomes one width beyond the finite values: far out, without spoiling every threshold.
float_matrix to_floats(matrix_view rows) {
  float_matrix out{std::vector<float>(rows.values.size()), rows.rows, rows.columns};
  bool infinite = false;
  for (std::size_t i = 0; i < rows.values.size(); ++i) {
    const auto x = rows.values[i];
    infinite |= std::abs(x) > DBL_MAX;
    out.values[i] = static_cast<float>(std::min(std::max(x, -double{FLT_MAX}), double{FLT_MAX}));
  }
  if (!infinite)
    return out;
  std::vector<double> low(rows.columns, INFINITY), high(rows.columns, -INFINITY);
  // Row by row, as the values stand in memory.
  for (std::size_t i = 0; i < rows.rows; ++i)
    for (std::size_t j = 0; j < rows.columns; ++j)
      if (const auto x = rows.values[i * rows.columns + j]; std::isfinite(x))
        low[j] = std::min(low[j], x), high[j] = std::max(high[j], x);
  for (std::size_t j = 0; j < rows.columns; ++j) {
    if (low[j] > high[j])
      low[j] = high[j] = 0;
    const auto width = high[j] > low[j] ? high[j] - low[j] : 1;
    low[j] -= width, high[j] += width;
  }
  for (std::size_t i = 0; i < rows.rows; ++i)
    for (std::size_t j = 0; j < rows.columns; ++j) {
      const auto x = rows.values[i * rows.columns + j];
      out.values[i * rows.columns + j] = to_feature(std::isinf(x) ? (x > 0 ? high[j] : low[j]) : x);
    }
  return out;
}

/// The rows as the model takes them; copied to `taken` only where a floor changes them.
matrix_view with_floors(matrix_view rows, const std::vector<double>& floors, std::vector<double>& taken) {
  if (std::all_of(floors.begin(), floors.end(), [](double x) { return x == -INFINITY; }))
    return rows;
  taken.assign(rows.values.begin(), rows.values.end());
  for (std::size_t i = 0; i < taken.size(); ++i)
    taken[i] = floored(taken[i], floors[i % rows.columns]);
  return {taken, rows.rows, rows.columns};
}

/// The middle value of each one-sided column, the upper one of two.
std::vector<double> floors_of(matrix_view rows, const std::vector<bool>& one_sided) {
  std::vector<double> out(rows.columns, -INFINITY);
  for (std::size_t j = 0; j < one_sided.size(); ++j) {
    std::vector<double> known;
    for (std::size_t i = 0; i < rows.rows && one_sided[j]; ++i)
      if (const auto x = rows.values[i * rows.columns + j]; std::isfinite(x))
        known.push_back(x);
    if (known.empty())
      continue;
    const auto middle = known.begin() + static_cast<std::ptrdiff_t>(known.size() / 2);
    std::nth_element(known.begin(), middle, known.end());
    out[j] = *middle;
  }
  return out;
}

grown grow_forest(const float_matrix& data, const category_columns& categories, split_rule rule,
                  const fit_options& options) {
  grown out;
  auto psi = std::min<std::size_t>(options.max_samples, data.rows);
  // The calibration needs rows that a tree has not seen; scikit-learn's own forest takes all of a small set.
  if (options.kind == model_kind::bundle)
    psi = std::min(psi, std::max<std::size_t>(1, data.rows * 632 / 1000));
  out.f.rule = rule;
  out.f.psi = static_cast<std::uint32_t>(psi);
  const auto c = path_length_table(out.f.psi);
  out.f.c = c.back();
  std::vector<tree> trees(options.n_estimators);
  out.samples.resize(options.n_estimators);
  run_all(options, options.n_estimators, [&](std::size_t i) {
    random_stream random(options.random_state, static_cast<std::uint64_t>(rule) << 32 | i);
    out.samples[i] = draw_sample(data.rows, out.f.psi, random);
    trees[i] = grow_tree(data, categories.of_tree(i), out.samples[i], rule, random, c);
    if (options.tree_done)
      options.tree_done();
  });
  out.f.trees = packed_trees(trees, c);
  return out;
}

double quantile(std::vector<double>& values, double p) {
  const auto k = static_cast<std::ptrdiff_t>(p * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), values.begin() + k, values.end());
  return values[static_cast<std::size_t>(k)];
}

/// One member's values on the rows looked at, and what they are divided by.
struct member_values {
  std::vector<double> values;
  double centre = 0;
  double span = 1;
};

member_values measured(std::vector<double> values, double span_min) {
  auto copy = values;
  member_values out;
  out.centre = quantile(copy, 0.5);
  out.span = std::max(quantile(copy, 0.9) - quantile(copy, 0.1), span_min);
  out.values = std::move(values);
  return out;
}

/// Scales each member by its own median and p10-p90 span and places the mean so that the median row has log2_total -1
/// and the most unusual one thinkable stays below 0.
void scale_bundle(model_data& m, const std::vector<member_values>& forests, const member_values& bits,
                  const std::vector<member_values>& inner) {
  const auto share = 1 / (plain_weight + static_cast<double>(forests.size() + inner.size()));
  double centre_sum = 0, highest = range_limit;
  const auto take = [&](const member_values& v, double top, double weight = 1) {
    const auto scale = weight * share / v.span;
    centre_sum += scale * v.centre;
    highest += scale * (top - v.centre);
    return scale;
  };
  const auto capped = [&](const member_values& v) {
    auto copy = v.values;
    capped_term out;
    out.ceiling = quantile(copy, 1 - ceiling_share);
    out.scale = take(v, out.ceiling);
    return out;
  };
  for (std::size_t k = 0; k < m.forests.size(); ++k)
    m.forests[k].scale = take(forests[k], 0, m.forests[k].rule == split_rule::plain ? plain_weight : 1);
  m.tails_term = capped(bits);
  for (std::size_t k = 0; k < inner.size(); ++k)
    m.inner[k].term = capped(inner[k]);
  const auto unit = 0.99 / highest;
  for (auto& f : m.forests)
    f.scale *= unit;
  m.tails_term.scale *= unit;
  for (auto& i : m.inner)
    i.term.scale *= unit;
  m.offset = -1 - unit * centre_sum;
  m.range_scale = unit;
}

/// The terms of a bundle beside the forests, and all values that calibration needs.
struct bundle_values {
  member_values bits;
  std::vector<member_values> inner;
  std::vector<double> near;
  std::vector<double> excess;
};

bundle_values fit_terms(model_data& m, matrix_view all, const float_matrix& with_orders,
                        std::span<const std::uint32_t> looked_at, const fit_options& options) {
  std::vector<double> kept_columns;
  const auto rows = m.categories.without_orders(all, kept_columns);
  const auto narrowed = m.categories.empty() ? float_matrix() : to_floats(rows);
  const auto& data = m.categories.empty() ? with_orders : narrowed;
  auto columns = fit_columns(rows, options);
  bundle_values out;
  out.bits = measured(held_out_bits(columns, data, looked_at), term_span_min);
  out.excess = held_out_excess(columns, rows, looked_at);
  m.ranges = std::move(columns.ranges[folds]);
  m.tails = std::move(columns.tails[folds]);
  m.scales.resize(rows.columns);
  run_all(options, rows.columns, [&](std::size_t j) {
    std::vector<float> column(rows.rows);
    for (std::size_t i = 0; i < rows.rows; ++i)
      column[i] = data.row(i)[j];
    m.scales[j] = m.categories.is_order(j) ? column_scale{0, column_scale::no_measure} : fit_scale(column, m.ranges[j]);
  });
  const auto placed = place_all(data, m.scales, options);
  for (auto share : inner_shares) {
    if (rows.columns > ellipse::columns_max || rows.rows < ellipse_rows_a_column * m.features.size())
      break;
    m.inner.push_back({fold_ellipse(placed, rows.columns, folds, share), {}});
    out.inner.push_back(measured(held_out_ellipse(placed, rows.columns, share, looked_at, options), term_span_min));
  }
  random_stream random(options.random_state, neighbours_stream);
  auto kept = draw_sample(rows.rows, static_cast<std::uint32_t>(std::min(rows.rows, neighbours::rows_max)), random);
  // Drawn rows are ascending; their groups must not be.
  for (auto i = kept.size(); i > 1; --i)
    std::swap(kept[i - 1], kept[random.below(static_cast<std::uint32_t>(i))]);
  m.local.near = neighbours(placed, rows.columns, kept);
  out.near = held_out_near(m.local.near, placed, rows.columns, looked_at, options);
  m.local.near.forget_rows();
  return out;
}

/// What a plain forest knows of its columns: the median, for its reasons. Some rows are enough.
std::vector<column_range> typical_values(matrix_view rows, std::span<const std::uint32_t> looked_at,
                                         const fit_options& options) {
  std::vector<column_range> out(rows.columns);
  run_all(options, rows.columns, [&](std::size_t j) {
    std::vector<double> values;
    values.reserve(looked_at.size());
    for (auto i : looked_at)
      values.push_back(rows.values[i * rows.columns + j]);
    out[j] = unlimited_range(std::move(values));
  });
  return out;
}

/// Calibrates the local score and then the smaller of both tails.
void calibrate_local(model_data& m, const std::vector<double>& totals, const bundle_values& values) {
  const auto near = measured(values.near, term_span_min);
  m.local.near_scale = 1 / near.span;
  m.local.ellipse_scale = values.inner.empty() ? 0 : 1 / values.inner[0].span;
  std::vector<double> local(totals.size());
  for (std::size_t i = 0; i < local.size(); ++i)
    local[i] = m.local.near_scale * values.near[i] +
               (values.inner.empty() ? 0 : m.local.ellipse_scale * values.inner[0].values[i]);
  m.local.calibrated = fit_calibration(local);
  std::vector<double> joint(totals.size());
  for (std::size_t i = 0; i < joint.size(); ++i)
    joint[i] = joint_evidence(m.calibrated.tail(totals[i]), m.local.calibrated.tail(local[i]));
  m.combined = fit_calibration(std::move(joint));
}

} // namespace

result<model> fit(matrix_view given, std::vector<std::string> names, const fit_options& options) {
  if (auto good = check_fit(given, names, options); !good)
    return good.err();
  auto m = std::make_shared<model_data>();
  m->card = {options.kind,         options.n_estimators, options.max_samples,
             options.random_state, given.rows,           options.history_ms};
  m->features = std::move(names);
  m->categories = category_columns::count(given, options.categories, options.random_state);
  std::vector<double> widened, taken;
  const auto wide = m->categories.widened(given, widened);
  m->floors = floors_of(wide, options.one_sided);
  const auto rows = with_floors(wide, m->floors, taken);
  const auto data = to_floats(rows);
  const auto bundle = options.kind == model_kind::bundle;
  const auto looked_at = even_rows(rows.rows, bundle ? calibration_rows_max : plain_calibration_rows_max);
  std::vector<split_rule> rules{split_rule::plain};
  if (bundle)
    rules.insert(rules.end(), {split_rule::pooled_gain, split_rule::full_gain, split_rule::kurtosis});
  std::vector<member_values> scores;
  for (auto rule : rules) {
    auto g = grow_forest(data, m->categories, rule, options);
    scores.push_back(measured(out_of_bag(g, data, looked_at, options), forest_span_min));
    m->forests.push_back(std::move(g.f));
  }
  bundle_values terms;
  if (bundle) {
    terms = fit_terms(*m, rows, data, looked_at, options);
    scale_bundle(*m, scores, terms.bits, terms.inner);
  } else {
    m->ranges = typical_values(rows, looked_at, options);
  }
  std::vector<double> totals(looked_at.size(), m->offset);
  for (std::size_t i = 0; i < totals.size(); ++i) {
    for (std::size_t k = 0; k < m->forests.size(); ++k)
      totals[i] += m->forests[k].scale * scores[k].values[i];
    if (!bundle)
      continue;
    totals[i] += m->tails_term.of(terms.bits.values[i]) + m->range_scale * terms.excess[i];
    for (std::size_t k = 0; k < terms.inner.size(); ++k)
      totals[i] += m->inner[k].term.of(terms.inner[k].values[i]);
  }
  m->calibrated = fit_calibration(totals);
  if (bundle)
    calibrate_local(*m, totals, terms);
  m->id = file_id(encode_model(*m));
  return model(std::move(m));
}

} // namespace pulse::detection
