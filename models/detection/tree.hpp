// One isolation tree as it is grown and filed: nodes in pre-order (the left child follows its parent). Plain data;
// grown by grow.hpp, kept and walked by packed.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/binary/bytes.hpp"

namespace pulse::detection {

inline constexpr std::uint16_t leaf = 0xffff;

/// A tree of 65,536 rows, the most there may be, is not grown deeper.
inline constexpr std::uint16_t tree_depth_max = 16;

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

/// Pre-order: 0 and n for a leaf, column + 1 and threshold for a split.
void write_tree(binary::writer& out, const tree& t);

/// Nothing when the bytes are no tree over `columns` columns and at most `psi` rows.
std::optional<tree> read_tree(binary::reader& in, std::size_t columns, std::uint32_t psi, std::span<const double> c);

} // namespace pulse::detection
