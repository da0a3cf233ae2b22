// The trees of a forest as they are kept and walked: eight bytes a node, level by level, children side by side. Every
// row takes the same number of steps and no branch, so that several trees are walked at once; a row that has arrived
// stays where it is. What a tree was made from can be had back, for the file.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "models/detection/row_block.hpp"
#include "models/detection/tree.hpp"

namespace pulse::detection {

class packed_trees {
public:
  packed_trees() = default;
  /// Finished trees, each of at most 65,536 rows, none of its leaves empty, no deeper than tree_depth_max.
  packed_trees(std::span<const tree> trees, std::span<const double> c);

  /// Sum of path lengths over all trees, in the trees' order: of each the depth of the row's leaf plus c(n) there. A
  /// missing value goes both ways, weighted by training rows; without one `has_missing` may be false, which is faster.
  double path_length_sum(std::span<const float> row, bool has_missing) const;

  /// Adds the path lengths of many rows in one tree. Going tree by tree keeps the tree in the nearest cache.
  void add_path_lengths(std::size_t t, const row_block& rows, std::span<double> out) const;

  /// Adds scale * (value(child) - value(node)) to the column of each split on the row's ways through the trees. The
  /// additions sum to scale * (path_length_sum - root_sum); a missing value adds 0.
  void attribute(std::span<const float> row, bool has_missing, double scale, std::span<double> per_column) const;

  /// Sum over all trees of the path length of a row of which nothing is known.
  double root_sum() const;

  /// The tree that number t was made from.
  tree unpacked(std::size_t t) const;

  std::size_t size() const {
    return first_.size();
  }

  std::size_t memory_bytes() const;

private:
  struct step {
    /// A leaf's is no number, which nothing is greater than, and holds its place in leaves_.
    float threshold;
    std::uint16_t feature;
    /// How far behind this node its left child stands, and the right one behind that; 0 for a leaf. In a tree of 65,536
    /// rows the farthest are 65,535: the nodes between have as many leaves below them.
    std::uint16_t skip;

    bool is_leaf() const {
      return skip == 0;
    }

    /// One step of a row: a leaf is its own next.
    const step* next(const float* row) const {
      return this + skip + static_cast<std::size_t>(row[feature] > threshold);
    }
  };

  struct leaf_kind {
    /// depth + c[rows]
    double path_length;
    std::uint32_t rows;
  };

  const leaf_kind& leaf_at(const step& s) const {
    return leaves_[std::bit_cast<std::uint32_t>(s.threshold) & 0x3fffff];
  }

  /// Place in value_ and rows_ of a split of tree t: its children are the tree's so many-th pair.
  std::size_t split_at(std::size_t t, const step& s) const {
    return (static_cast<std::size_t>(&s - steps_.data()) + s.skip - 1 - t) / 2;
  }

  struct top_levels;

  std::uint32_t rows_at(std::size_t t, const step& s) const;
  double value_at(std::size_t t, const step& s) const;
  double both_ways(std::size_t t, const step* at, std::span<const float> row) const;
  void attribute_both_ways(std::size_t t, const step* at, double here, std::span<const float> row, double scale,
                           std::span<double> per_column) const;
  void attribute_one_way(std::size_t t, std::size_t n, std::span<const float> row, double scale,
                         std::span<double> per_column) const;
  void unpack(std::size_t t, const step& s, std::uint16_t depth, tree& out) const;

  int depth_ = 0;
  /// Roots.
  std::vector<std::uint32_t> first_;
  std::vector<step> steps_;
  /// Of the splits alone: node::value, and node::n less 1.
  std::vector<float> value_;
  std::vector<std::uint16_t> rows_;
  /// A leaf's depth and rows say all of it, and there are few such pairs.
  std::vector<leaf_kind> leaves_;
};

} // namespace pulse::detection
