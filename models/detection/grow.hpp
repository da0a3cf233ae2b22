// Growing one isolation tree from a sample of rows. Four ways to choose a split make four unlike forests; their
// average finds what none of them finds alone.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/detection/random.hpp"
#include "models/detection/tree.hpp"

namespace pulse::detection {

enum class split_rule : std::uint8_t {
  /// Column and threshold by chance (Liu, Ting, Zhou 2008), as scikit-learn does.
  plain = 0,
  /// Column drawn by kurtosis, most thresholds where the pooled standard deviation of the column falls most: the "fair
  /// cut" of Cortes, "Isolation forests: looking beyond tree depth" (2021).
  pooled_gain = 1,
  /// Column by chance, half of the thresholds where the variance of all columns together falls most (Cortes 2021,
  /// "Revisiting
  /// randomized choices in isolation forests").
  full_gain = 2,
  /// Column drawn with its kurtosis in the node as weight, threshold by chance (Cortes 2021, ibid.). Where a column has
  /// two values in the node it weighs least, in both rules that draw so.
  kurtosis = 3,
};

/// Rows of a matrix in float32, row-major; NaN is missing.
struct float_matrix {
  std::vector<float> values;
  std::size_t rows = 0;
  std::size_t columns = 0;

  std::span<const float> row(std::size_t i) const {
    return {values.data() + i * columns, columns};
  }
};

/// `n` of `rows` row numbers without repetition, ascending.
std::vector<std::uint32_t> draw_sample(std::size_t rows, std::uint32_t n, random_stream& random);

/// A tree over the sample's rows and these of the matrix's columns, no deeper than ceil(log2(rows of the sample)). A
/// missing value goes left or right by chance in the proportion of the others.
tree grow_tree(const float_matrix& data, std::span<const std::uint16_t> columns, std::span<const std::uint32_t> sample,
               split_rule rule, random_stream& random, std::span<const double> c);

} // namespace pulse::detection
