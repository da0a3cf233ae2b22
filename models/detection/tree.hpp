// One isolation tree: nodes in pre-order (the left child follows its parent), how deep a row falls, and which
// columns made it fall so deep. Plain data; grown by grow.hpp, averaged by model.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/binary/bytes.hpp"

namespace pulse::detection {

inline constexpr std::uint16_t leaf = 0xffff;

struct node {
  /// Left when x <= threshold.
  float threshold = 0;
  /// Expected total depth of a training row that came here: what attribution takes differences of.
  float value = 0;
  std::uint32_t right = 0;
  /// Training rows that came here.
  std::uint32_t n = 0;
  /// Column, or `leaf`.
  std::uint16_t feature = leaf;
  std::uint16_t depth = 0;
};

using tree = std::vector<node>;

/// Average depth of an unsuccessful search in a binary search tree of n rows (Liu, Ting, Zhou 2008, eq. 1):
/// c(1) = 0, c(2) = 1, else 2 (ln(n-1) + Euler's gamma) - 2 (n-1)/n.
double average_path_length(std::uint32_t n);

/// average_path_length for 0 ... n.
std::vector<double> path_length_table(std::uint32_t n);

/// Fills n of inner nodes and all values from the leaves' n. `c` reaches to the root's n.
void finish_tree(tree& t, std::span<const double> c);

/// Total depth of a row: depth of its leaf plus c(n) there. A NaN goes both ways, weighted by training rows.
double path_length(const tree& t, std::span<const float> row, std::span<const double> c, bool has_missing);

/// Adds scale * (value(child) - value(node)) to the column of each split on the row's way. The additions sum to
/// scale * (path_length - value(root)); a missing value adds 0.
void attribute_path(const tree& t, std::span<const float> row, std::span<const double> c, double scale,
                    std::span<double> per_column);

/// Pre-order: 0 and n for a leaf, column + 1 and threshold for a split.
void write_tree(binary::writer& out, const tree& t);

/// Nothing when the bytes are no tree over `columns` columns and at most `psi` rows.
std::optional<tree> read_tree(binary::reader& in, std::size_t columns, std::uint32_t psi, std::span<const double> c);

} // namespace pulse::detection
