// See packed.hpp.
#include "models/detection/packed.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>

namespace pulse::detection {

namespace {

/// Trees or rows walked at once: enough to hide the wait for memory.
constexpr std::size_t lanes = 8;

/// No number, with room for 22 bits.
constexpr std::uint32_t leaf_mark = 0x7fc00000;

/// Fewer rows do not pay for the preparation.
constexpr std::size_t rows_for_top = 64;

} // namespace

/// The first levels of a tree, and where they lead. A leaf above has both its ways lead to itself.
struct packed_trees::top_levels {
  top_splits splits;
  std::array<const step*, top_splits::count + 1> below;

  top_levels(const step& root, const row_block& rows) {
    fill(0, root, rows);
  }

  void fill(std::size_t n, const step& s, const row_block& rows) {
    if (n >= top_splits::count) {
      below[n - top_splits::count] = &s;
      return;
    }
    splits.threshold[n] = s.threshold;
    splits.column[n] = rows.column(s.feature);
    fill(2 * n + 1, s.is_leaf() ? s : (&s)[s.skip], rows);
    fill(2 * n + 2, s.is_leaf() ? s : (&s)[s.skip + 1], rows);
  }
};

packed_trees::packed_trees(std::span<const tree> trees, std::span<const double> c) {
  std::size_t nodes = 0;
  for (const auto& t : trees)
    nodes += t.size();
  steps_.reserve(nodes);
  first_.reserve(trees.size());
  value_.reserve((nodes - trees.size()) / 2);
  rows_.reserve(value_.capacity());
  std::unordered_map<std::uint64_t, std::uint32_t> known;
  std::vector<std::uint32_t> level;
  for (const auto& t : trees) {
    first_.push_back(static_cast<std::uint32_t>(steps_.size()));
    // Level by level: whoever is met first has its children first.
    level.assign(1, 0);
    for (std::size_t i = 0; i < level.size(); ++i) {
      const auto& n = t[level[i]];
      depth_ = std::max(depth_, int{n.depth});
      if (n.feature == leaf) {
        const auto [at, fresh] =
            known.try_emplace(std::uint64_t{n.depth} << 32 | n.n, static_cast<std::uint32_t>(leaves_.size()));
        if (fresh)
          leaves_.push_back({n.depth + c[n.n], n.n});
        steps_.push_back({std::bit_cast<float>(leaf_mark | at->second), 0, 0});
        continue;
      }
      steps_.push_back({n.threshold, n.feature, static_cast<std::uint16_t>(level.size() - i)});
      value_.push_back(n.value);
      rows_.push_back(static_cast<std::uint16_t>(n.n - 1));
      level.push_back(level[i] + 1);
      level.push_back(n.right);
    }
  }
  leaves_.shrink_to_fit();
}

std::uint32_t packed_trees::rows_at(std::size_t t, const step& s) const {
  return s.is_leaf() ? leaf_at(s).rows : rows_[split_at(t, s)] + 1u;
}

double packed_trees::value_at(std::size_t t, const step& s) const {
  return s.is_leaf() ? leaf_at(s).path_length : static_cast<double>(value_[split_at(t, s)]);
}

double packed_trees::both_ways(std::size_t t, const step* at, std::span<const float> row) const {
  for (; !at->is_leaf(); at = at->next(row.data())) {
    if (!std::isnan(row[at->feature]))
      continue;
    const auto* below = at + at->skip;
    const auto left = static_cast<double>(rows_at(t, below[0])) / rows_at(t, *at);
    return left * both_ways(t, below, row) + (1 - left) * both_ways(t, below + 1, row);
  }
  return leaf_at(*at).path_length;
}

double packed_trees::path_length_sum(std::span<const float> row, bool has_missing) const {
  double sum = 0;
  if (has_missing) {
    for (std::size_t t = 0; t < size(); ++t)
      sum += both_ways(t, &steps_[first_[t]], row);
    return sum;
  }
  std::array<const step*, lanes> at;
  for (std::size_t t = 0; t < size(); t += lanes) {
    const auto n = std::min(lanes, size() - t);
    // Where there are too few, the last one is walked for the others too.
    for (std::size_t k = 0; k < lanes; ++k)
      at[k] = &steps_[first_[t + std::min(k, n - 1)]];
    for (int d = 0; d < depth_; ++d)
      for (auto& s : at)
        s = s->next(row.data());
    for (std::size_t k = 0; k < n; ++k)
      sum += leaf_at(*at[k]).path_length;
  }
  return sum;
}

void packed_trees::add_path_lengths(std::size_t t, const row_block& rows, std::span<double> out) const {
  const auto* root = &steps_[first_[t]];
  std::size_t i = 0;
  if (!rows.has_missing() && rows.size() >= rows_for_top) {
    const top_levels top(*root, rows);
    std::array<std::int32_t, row_block::at_once> place;
    for (; i + place.size() <= rows.size(); i += place.size()) {
      top.splits.places(i, place);
      for (std::size_t first = 0; first < place.size(); first += lanes) {
        std::array<const step*, lanes> at;
        for (std::size_t k = 0; k < lanes; ++k)
          at[k] = top.below[static_cast<std::size_t>(place[first + k])];
        const auto* x = rows.row(i + first).data();
        for (int d = top_splits::depth; d < depth_; ++d)
          for (std::size_t k = 0; k < lanes; ++k)
            at[k] = at[k]->next(x + k * rows.columns());
        for (std::size_t k = 0; k < lanes; ++k)
          out[i + first + k] += leaf_at(*at[k]).path_length;
      }
    }
  }
  for (; i < rows.size(); ++i)
    out[i] += both_ways(t, root, rows.row(i));
}

void packed_trees::attribute_both_ways(std::size_t t, const step* at, double here, std::span<const float> row,
                                       double scale, std::span<double> per_column) const {
  while (!at->is_leaf()) {
    auto& column = per_column[at->feature];
    if (std::isnan(row[at->feature])) {
      // A split's value is a float: what its rounding leaves over is this column's, so that sums stay exact.
      const auto* below = at + at->skip;
      const auto left = static_cast<double>(rows_at(t, below[0])) / rows_at(t, *at);
      const auto left_value = value_at(t, below[0]), right_value = value_at(t, below[1]);
      column += scale * (left * left_value + (1 - left) * right_value - here);
      attribute_both_ways(t, below, left_value, row, scale * left, per_column);
      scale *= 1 - left;
      at = below + 1;
      here = right_value;
      continue;
    }
    at = at->next(row.data());
    const auto there = value_at(t, *at);
    column += scale * (there - here);
    here = there;
  }
}

/// Trees t to t + n: first all ways at once, then what happened on them.
void packed_trees::attribute_one_way(std::size_t t, std::size_t n, std::span<const float> row, double scale,
                                     std::span<double> per_column) const {
  std::array<std::array<const step*, lanes>, tree_depth_max + 1> way;
  for (std::size_t k = 0; k < lanes; ++k)
    way[0][k] = &steps_[first_[t + std::min(k, n - 1)]];
  for (std::size_t d = 0; d < static_cast<std::size_t>(depth_); ++d)
    for (std::size_t k = 0; k < lanes; ++k)
      way[d + 1][k] = way[d][k]->next(row.data());
  for (std::size_t k = 0; k < n; ++k) {
    auto here = value_at(t + k, *way[0][k]);
    for (std::size_t d = 0; !way[d][k]->is_leaf(); ++d) {
      const auto there = value_at(t + k, *way[d + 1][k]);
      per_column[way[d][k]->feature] += scale * (there - here);
      here = there;
    }
  }
}

void packed_trees::attribute(std::span<const float> row, bool has_missing, double scale,
                             std::span<double> per_column) const {
  if (has_missing)
    for (std::size_t t = 0; t < size(); ++t) {
      const auto& root = steps_[first_[t]];
      attribute_both_ways(t, &root, value_at(t, root), row, scale, per_column);
    }
  else
    for (std::size_t t = 0; t < size(); t += lanes)
      attribute_one_way(t, std::min(lanes, size() - t), row, scale, per_column);
}

double packed_trees::root_sum() const {
  double sum = 0;
  for (std::size_t t = 0; t < size(); ++t)
    sum += value_at(t, steps_[first_[t]]);
  return sum;
}

void packed_trees::unpack(std::size_t t, const step& s, std::uint16_t depth, tree& out) const {
  const auto here = out.size();
  out.push_back({0, static_cast<float>(value_at(t, s)), 0, rows_at(t, s), leaf, depth});
  if (s.is_leaf())
    return;
  const auto* below = &s + s.skip;
  out[here].threshold = s.threshold;
  out[here].feature = s.feature;
  unpack(t, below[0], static_cast<std::uint16_t>(depth + 1), out);
  out[here].right = static_cast<std::uint32_t>(out.size());
  unpack(t, below[1], static_cast<std::uint16_t>(depth + 1), out);
}

tree packed_trees::unpacked(std::size_t t) const {
  tree out;
  unpack(t, steps_[first_[t]], 0, out);
  return out;
}

std::size_t packed_trees::memory_bytes() const {
  return steps_.capacity() * sizeof(step) + first_.capacity() * sizeof(std::uint32_t) +
         value_.capacity() * sizeof(float) + rows_.capacity() * sizeof(std::uint16_t) +
         leaves_.capacity() * sizeof(leaf_kind);
}

} // namespace pulse::detection
