// Many rows that walk one tree: the first levels of all of them at once, with a processor's vectors. There every split
// is asked of every row, which costs less than to find out which ones a row comes to.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace pulse::detection {

/// Some hundred rows that are scored together. The rows stay the caller's.
class row_block {
public:
  /// Rows that a processor's vectors hold together.
  static constexpr std::size_t at_once = 16;

  /// Row-major.
  row_block(std::span<const float> rows, std::size_t columns);

  std::size_t size() const {
    return size_;
  }

  std::size_t columns() const {
    return columns_;
  }

  bool has_missing() const {
    return has_missing_;
  }

  std::span<const float> row(std::size_t i) const {
    return rows_.subspan(i * columns_, columns_);
  }

  /// The values of a column in the rows' order. Only where nothing is missing.
  const float* column(std::size_t j) const {
    return by_column_.data() + j * size_;
  }

private:
  std::span<const float> rows_;
  std::size_t columns_;
  std::size_t size_;
  bool has_missing_;
  std::vector<float> by_column_;
};

/// The splits of a tree's first levels, level by level: those of split n are 2 n + 1 and 2 n + 2.
struct top_splits {
  static constexpr int depth = 5;
  static constexpr std::size_t count = (1u << depth) - 1;

  /// To the right are greater values; not a number: nothing is.
  std::array<float, count> threshold;
  /// Of the column that the split asks for, see row_block::column.
  std::array<const float*, count> column;

  /// Where at_once rows from row i on arrive below the splits, counted from the left.
  void places(std::size_t i, std::span<std::int32_t, row_block::at_once> out) const;
};

} // namespace pulse::detection
