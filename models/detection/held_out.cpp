// See held_out.hpp.
#include "models/detection/held_out.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::detection {

namespace {

constexpr std::size_t block = 256;

/// Runs body(first, last) over blocks of [0, count).
void by_blocks(const fit_options& options, std::size_t count,
               const std::function<void(std::size_t, std::size_t)>& body) {
  run_all(options, (count + block - 1) / block,
          [&](std::size_t b) { body(b * block, std::min(count, (b + 1) * block)); });
}

/// Of each tree the places in `rows` of those it was grown from, ascending as the samples and the rows are.
std::vector<std::vector<std::uint32_t>> seen_places(const grown& g, std::size_t all_rows,
                                                    std::span<const std::uint32_t> rows) {
  constexpr auto nowhere = ~std::uint32_t{0};
  std::vector<std::uint32_t> place(all_rows, nowhere);
  for (std::size_t k = 0; k < rows.size(); ++k)
    place[rows[k]] = static_cast<std::uint32_t>(k);
  std::vector<std::vector<std::uint32_t>> out(g.samples.size());
  for (std::size_t t = 0; t < out.size(); ++t)
    for (auto r : g.samples[t])
      if (place[r] != nowhere)
        out[t].push_back(place[r]);
  return out;
}

} // namespace

void run_all(const fit_options& options, std::size_t count, const std::function<void(std::size_t)>& body) {
  if (options.for_each)
    return options.for_each(count, body);
  for (std::size_t i = 0; i < count; ++i)
    body(i);
}

std::vector<std::uint32_t> even_rows(std::size_t rows, std::size_t most) {
  const auto n = std::min(rows, most);
  std::vector<std::uint32_t> out(n);
  for (std::size_t i = 0; i < n; ++i)
    out[i] = static_cast<std::uint32_t>(i * rows / n);
  return out;
}

std::vector<double> out_of_bag(const grown& g, const float_matrix& data, std::span<const std::uint32_t> rows,
                               const fit_options& options) {
  std::vector<double> out(rows.size(), -1);
  if (!(g.f.c > 0))
    return out;
  const auto seen = seen_places(g, data.rows, rows);
  const auto all = static_cast<double>(g.f.trees.size());
  by_blocks(options, rows.size(), [&](std::size_t first, std::size_t last) {
    const auto here = rows.subspan(first, last - first);
    std::vector<double> sum(here.size()), trees(here.size(), all), kept;
    std::vector<float> values;
    values.reserve(here.size() * data.columns);
    for (auto r : here)
      values.insert(values.end(), data.row(r).begin(), data.row(r).end());
    const row_block walked(values, data.columns);
    // Tree by tree: one tree fits the cache, all of them do not. What it says of its own rows is taken back.
    for (std::size_t i = 0; i < g.f.trees.size(); ++i) {
      const auto own_first = std::lower_bound(seen[i].begin(), seen[i].end(), first);
      const auto own_last = std::lower_bound(own_first, seen[i].end(), last);
      kept.clear();
      for (auto p = own_first; p != own_last; ++p)
        kept.push_back(sum[*p - first]);
      g.f.trees.add_path_lengths(i, walked, sum);
      for (auto p = own_first; p != own_last; ++p) {
        sum[*p - first] = kept[static_cast<std::size_t>(p - own_first)];
        --trees[*p - first];
      }
    }
    for (std::size_t k = 0; k < here.size(); ++k)
      out[first + k] = g.f.to_score(trees[k] > 0 ? sum[k] / trees[k] * all
                                                 : g.f.trees.path_length_sum(walked.row(k), walked.has_missing()));
  });
  return out;
}

column_statistics fit_columns(matrix_view rows, const fit_options& options) {
  column_statistics out;
  for (std::size_t fold = 0; fold <= folds; ++fold) {
    out.ranges[fold].resize(rows.columns);
    out.tails[fold].resize(rows.columns);
  }
  run_all(options, rows.columns, [&](std::size_t j) {
    // Sorted once; leaving a fold out keeps the order.
    std::vector<std::pair<double, std::size_t>> sorted;
    sorted.reserve(rows.rows);
    for (std::size_t i = 0; i < rows.rows; ++i)
      if (const auto x = rows.values[i * rows.columns + j]; std::isfinite(x))
        sorted.emplace_back(x, i % folds);
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t fold = 0; fold <= folds; ++fold) {
      std::vector<double> wide;
      std::vector<float> narrow;
      for (const auto& [x, of] : sorted)
        if (of != fold)
          wide.push_back(x), narrow.push_back(to_feature(x));
      out.ranges[fold][j] = range_of_sorted(std::move(wide), rows.columns);
      out.tails[fold][j] = fit_column_tail(narrow);
    }
  });
  return out;
}

std::vector<double> held_out_excess(const column_statistics& columns, matrix_view rows,
                                    std::span<const std::uint32_t> looked_at) {
  std::vector<double> out(looked_at.size());
  for (std::size_t i = 0; i < looked_at.size(); ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < rows.columns; ++j)
      sum += range_excess(columns.ranges[looked_at[i] % folds][j], rows.values[looked_at[i] * rows.columns + j]);
    out[i] = bounded_excess(sum);
  }
  return out;
}

std::vector<double> held_out_bits(const column_statistics& columns, const float_matrix& data,
                                  std::span<const std::uint32_t> looked_at) {
  std::vector<double> out(looked_at.size());
  for (std::size_t i = 0; i < looked_at.size(); ++i)
    for (std::size_t j = 0; j < data.columns; ++j)
      out[i] += columns.tails[looked_at[i] % folds][j].bits(data.row(looked_at[i])[j]);
  return out;
}

std::vector<double> place_all(const float_matrix& data, std::span<const column_scale> scales,
                              const fit_options& options) {
  std::vector<double> out(data.values.size());
  by_blocks(options, data.rows, [&](std::size_t first, std::size_t last) {
    for (auto i = first * data.columns; i < last * data.columns; ++i)
      out[i] = scales[i % data.columns].place(data.values[i]);
  });
  return out;
}

ellipse fold_ellipse(std::span<const double> placed, std::size_t columns, std::size_t fold, double share) {
  std::vector<std::size_t> others;
  for (std::size_t r = 0; r < placed.size() / columns; ++r)
    if (r % folds != fold)
      others.push_back(r);
  std::vector<double> some;
  for (auto k : even_rows(others.size(), ellipse_rows_max)) {
    const auto row = placed.subspan(others[k] * columns, columns);
    some.insert(some.end(), row.begin(), row.end());
  }
  // A single row lies in one fold only: that fold's ellipse is the row's own.
  return some.empty() ? fit_ellipse(placed, columns, share) : fit_ellipse(some, columns, share);
}

std::vector<double> held_out_ellipse(std::span<const double> placed, std::size_t columns, double share,
                                     std::span<const std::uint32_t> looked_at, const fit_options& options) {
  std::vector<ellipse> without(folds);
  run_all(options, folds, [&](std::size_t fold) { without[fold] = fold_ellipse(placed, columns, fold, share); });
  std::vector<double> out(looked_at.size());
  by_blocks(options, out.size(), [&](std::size_t first, std::size_t last) {
    for (auto i = first; i < last; ++i)
      out[i] = without[looked_at[i] % folds].value(placed.subspan(looked_at[i] * columns, columns));
  });
  return out;
}

std::vector<double> held_out_near(const neighbours& near, std::span<const double> placed, std::size_t columns,
                                  std::span<const std::uint32_t> looked_at, const fit_options& options) {
  std::vector<double> out(looked_at.size());
  by_blocks(options, out.size(), [&](std::size_t first, std::size_t last) {
    for (auto i = first; i < last; ++i)
      out[i] = near.value(placed.subspan(looked_at[i] * columns, columns), looked_at[i]);
  });
  return out;
}

} // namespace pulse::detection
