// The trees of a forest as complete binary trees in flat arrays: every row takes the same number of steps and no
// branch, so that several trees are walked at once. Same answers as walking the nodes, to the last bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/detection/tree.hpp"

namespace pulse::detection {

class packed_trees {
public:
  /// Deeper forests are not packed: a complete tree doubles with each level.
  static constexpr int depth_max = 8;

  packed_trees() = default;
  packed_trees(std::span<const tree> trees, std::span<const double> c);

  /// False for forests that are too deep; then walk the nodes.
  bool usable() const {
    return trees_ > 0;
  }

  /// Sum of path lengths over all trees, in the trees' order. No value of the row is NaN.
  double path_length_sum(std::span<const float> row) const;

  /// Adds the path lengths of many rows (row-major, out.size() of them) in one tree. Going tree by tree keeps the tree
  /// in the nearest cache.
  void add_path_lengths(std::size_t t, std::span<const float> rows, std::size_t columns, std::span<double> out) const;

  /// attribute_path of every tree. No value of the row is NaN.
  void attribute(std::span<const float> row, double scale, std::span<double> per_column) const;

  std::size_t size() const {
    return trees_;
  }

  std::size_t memory_bytes() const {
    return (threshold_.capacity() + value_.capacity()) * sizeof(float) +
           (feature_.capacity() + leaf_.capacity()) * sizeof(std::uint16_t) + values_.capacity() * sizeof(double);
  }

private:
  void fill(const tree& t, std::uint32_t from, std::size_t base, std::size_t at, std::uint16_t last_feature,
            std::span<const double> c);
  void find_leaves(const float* row, std::size_t t, std::span<std::uint32_t> at) const;
  std::uint16_t leaf_code(double value);

  std::size_t trees_ = 0;
  int depth_ = 0;
  /// Per tree 2^depth - 1 splits in level order.
  std::vector<float> threshold_;
  std::vector<std::uint16_t> feature_;
  /// Values of the nodes that the splits stand at, for attribution.
  std::vector<float> value_;
  /// Per tree 2^depth leaves: places in values_, which are few.
  std::vector<std::uint16_t> leaf_;
  std::vector<double> values_;
};

} // namespace pulse::detection
