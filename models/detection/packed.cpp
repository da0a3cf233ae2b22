// See packed.hpp.
#include "models/detection/packed.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace pulse::detection {

namespace {

/// Trees walked at once: enough to hide the wait for memory.
constexpr std::size_t lanes = 8;

} // namespace

packed_trees::packed_trees(std::span<const tree> trees, std::span<const double> c) {
  for (const auto& t : trees)
    for (const auto& n : t)
      depth_ = std::max(depth_, int{n.depth});
  if (depth_ > depth_max)
    return;
  const auto splits = (std::size_t{1} << depth_) - 1;
  threshold_.assign(trees.size() * splits, std::numeric_limits<float>::infinity());
  feature_.assign(trees.size() * splits, 0);
  value_.assign(trees.size() * splits, 0);
  leaf_.assign(trees.size() * (splits + 1), 0);
  for (std::size_t i = 0; i < trees.size(); ++i)
    fill(trees[i], 0, i, 0, 0, c);
  trees_ = trees.size();
}

std::uint16_t packed_trees::leaf_code(double value) {
  // At most 9 depths times 256 counts.
  const auto at = std::find(values_.begin(), values_.end(), value);
  const auto code = static_cast<std::uint16_t>(at - values_.begin());
  if (at == values_.end())
    values_.push_back(value);
  return code;
}

void packed_trees::fill(const tree& t, std::uint32_t from, std::size_t base, std::size_t at, std::uint16_t last_feature,
                        std::span<const double> c) {
  const auto splits = (std::size_t{1} << depth_) - 1;
  const auto& n = t[from];
  if (n.feature != leaf) {
    threshold_[base * splits + at] = n.threshold;
    feature_[base * splits + at] = n.feature;
    value_[base * splits + at] = n.value;
    fill(t, from + 1, base, 2 * at + 1, n.feature, c);
    fill(t, n.right, base, 2 * at + 2, n.feature, c);
    return;
  }
  // Whatever a row does below a leaf, it arrives at the leaf's value; what single precision leaves over until then goes
  // to the column of the last split.
  auto first = at, last = at;
  while (first < splits) {
    for (auto i = first; i <= last; ++i) {
      feature_[base * splits + i] = last_feature;
      value_[base * splits + i] = n.value;
    }
    first = 2 * first + 1, last = 2 * last + 2;
  }
  const auto code = leaf_code(n.depth + c[n.n]);
  for (auto i = first; i <= last; ++i)
    leaf_[base * (splits + 1) + i - splits] = code;
}

/// Leaves that the row falls in, of the trees from t on.
void packed_trees::find_leaves(const float* x, std::size_t t, std::span<std::uint32_t> at) const {
  const auto splits = (std::size_t{1} << depth_) - 1;
  const auto* threshold = threshold_.data() + t * splits;
  const auto* feature = feature_.data() + t * splits;
  std::array<std::uint32_t, lanes> where{};
  if (at.size() == lanes) {
    for (int d = 0; d < depth_; ++d)
      for (std::size_t k = 0; k < lanes; ++k) {
        const auto n = k * splits + where[k];
        where[k] = 2 * where[k] + 1 + static_cast<std::uint32_t>(x[feature[n]] > threshold[n]);
      }
  } else {
    for (int d = 0; d < depth_; ++d)
      for (std::size_t k = 0; k < at.size(); ++k) {
        const auto n = k * splits + where[k];
        where[k] = 2 * where[k] + 1 + static_cast<std::uint32_t>(x[feature[n]] > threshold[n]);
      }
  }
  std::copy_n(where.begin(), at.size(), at.begin());
}

double packed_trees::path_length_sum(std::span<const float> row) const {
  const auto splits = (std::size_t{1} << depth_) - 1;
  double sum = 0;
  std::array<std::uint32_t, lanes> at;
  for (std::size_t t = 0; t < trees_; t += lanes) {
    const auto n = std::min(lanes, trees_ - t);
    find_leaves(row.data(), t, std::span(at).first(n));
    for (std::size_t k = 0; k < n; ++k)
      sum += values_[leaf_[(t + k) * (splits + 1) + at[k] - splits]];
  }
  return sum;
}

void packed_trees::attribute(std::span<const float> row, double scale, std::span<double> per_column) const {
  const auto splits = (std::size_t{1} << depth_) - 1;
  std::array<std::uint32_t, lanes> at;
  for (std::size_t t = 0; t < trees_; t += lanes) {
    const auto n = std::min(lanes, trees_ - t);
    find_leaves(row.data(), t, std::span(at).first(n));
    for (std::size_t k = 0; k < n; ++k) {
      const auto first = (t + k) * splits;
      // A tree of one leaf has nothing to tell.
      if (depth_ == 0 || threshold_[first] == std::numeric_limits<float>::infinity())
        continue;
      auto here = static_cast<double>(value_[first]);
      std::size_t node = 0;
      for (auto d = depth_; d-- > 0;) {
        // The way to a leaf stands in its number.
        const auto next = ((at[k] + 1) >> d) - 1;
        const auto there =
            d > 0 ? static_cast<double>(value_[first + next]) : values_[leaf_[(t + k) * (splits + 1) + next - splits]];
        per_column[feature_[first + node]] += scale * (there - here);
        here = there;
        node = next;
      }
    }
  }
}

void packed_trees::add_path_lengths(std::size_t t, std::span<const float> rows, std::size_t columns,
                                    std::span<double> out) const {
  const auto splits = (std::size_t{1} << depth_) - 1;
  const auto* threshold = threshold_.data() + t * splits;
  const auto* feature = feature_.data() + t * splits;
  const auto* leaves = leaf_.data() + t * (splits + 1);
  std::size_t i = 0;
  for (; i + lanes <= out.size(); i += lanes) {
    std::array<std::uint32_t, lanes> at{};
    const auto* x = &rows[i * columns];
    for (int d = 0; d < depth_; ++d)
      for (std::size_t k = 0; k < lanes; ++k)
        at[k] = 2 * at[k] + 1 + static_cast<std::uint32_t>(x[k * columns + feature[at[k]]] > threshold[at[k]]);
    for (std::size_t k = 0; k < lanes; ++k)
      out[i + k] += values_[leaves[at[k] - splits]];
  }
  for (; i < out.size(); ++i) {
    std::size_t at = 0;
    for (int d = 0; d < depth_; ++d)
      at = 2 * at + 1 + static_cast<std::size_t>(rows[i * columns + feature[at]] > threshold[at]);
    out[i] += values_[leaves[at - splits]];
  }
}

} // namespace pulse::detection
