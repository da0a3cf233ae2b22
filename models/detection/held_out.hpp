// What every member of a model says about training rows that it had not seen: the forests out of bag, the rest by four
// folds. Scaling and calibration work on these values alone. Part of fitting; see fit.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/detection/model_data.hpp"

namespace pulse::detection {

/// Folds are row numbers modulo this; statistics "of fold `folds`" are of all rows.
inline constexpr std::size_t folds = 4;

/// Rows looked at, and rows an ellipse is fitted on: so many at even distances.
inline constexpr std::size_t calibration_rows_max = 10'000;
inline constexpr std::size_t ellipse_rows_max = 4'096;
/// Of a plain forest, which is fitted where time counts: one row in a hundred is still twenty of them, and beyond them
/// the tail goes on.
inline constexpr std::size_t plain_calibration_rows_max = 2'048;

void run_all(const fit_options& options, std::size_t count, const std::function<void(std::size_t)>& body);

/// At most `most` of `rows` row numbers, at even distances.
std::vector<std::uint32_t> even_rows(std::size_t rows, std::size_t most);

struct grown {
  forest f;
  /// Per tree, ascending row numbers.
  std::vector<std::vector<std::uint32_t>> samples;
};

/// log2 score of each row by the trees that had not seen it; by all where every tree had.
std::vector<double> out_of_bag(const grown& g, const float_matrix& data, std::span<const std::uint32_t> rows,
                               const fit_options& options);

/// Ranges and tails of every column, of all rows and of all but those of each fold.
struct column_statistics {
  std::vector<column_range> ranges[folds + 1];
  std::vector<column_tail> tails[folds + 1];
};

column_statistics fit_columns(matrix_view rows, const fit_options& options);

/// Bounded excess of the rows.
std::vector<double> held_out_excess(const column_statistics& columns, matrix_view rows,
                                    std::span<const std::uint32_t> looked_at);

/// Sum of bits of the rows.
std::vector<double> held_out_bits(const column_statistics& columns, const float_matrix& data,
                                  std::span<const std::uint32_t> looked_at);

/// Every row of `data` in its columns' scales.
std::vector<double> place_all(const float_matrix& data, std::span<const column_scale> scales,
                              const fit_options& options);

/// The ellipse of a fold's rows; of all when fold is `folds`.
ellipse fold_ellipse(std::span<const double> placed, std::size_t columns, std::size_t fold, double share);

std::vector<double> held_out_ellipse(std::span<const double> placed, std::size_t columns, double share,
                                     std::span<const std::uint32_t> looked_at, const fit_options& options);

std::vector<double> held_out_near(const neighbours& near, std::span<const double> placed, std::size_t columns,
                                  std::span<const std::uint32_t> looked_at, const fit_options& options);

} // namespace pulse::detection
