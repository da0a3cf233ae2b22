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
  leaf_.assign(trees.size() * (splits + 1), 0);
  for (std::size_t i = 0; i < trees.size(); ++i)
    fill(trees[i], 0, i, 0, c);
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

void packed_trees::fill(const tree& t, std::uint32_t from, std::size_t base, std::size_t at,
                        std::span<const double> c) {
  const auto splits = (std::size_t{1} << depth_) - 1;
  const auto& n = t[from];
  if (n.feature != leaf) {
    threshold_[base * splits + at] = n.threshold;
    feature_[base * splits + at] = n.feature;
    fill(t, from + 1, base, 2 * at + 1, c);
    fill(t, n.right, base, 2 * at + 2, c);
    return;
  }
  // Whatever a row does below a leaf, it arrives at the leaf's value.
  auto first = at, last = at;
  while (first < splits)
    first = 2 * first + 1, last = 2 * last + 2;
  const auto code = leaf_code(n.depth + c[n.n]);
  for (auto i = first; i <= last; ++i)
    leaf_[base * (splits + 1) + i - splits] = code;
}

double packed_trees::path_length_sum(std::span<const float> row) const {
  const auto splits = (std::size_t{1} << depth_) - 1;
  const auto* x = row.data();
  double sum = 0;
  std::size_t t = 0;
  for (; t + lanes <= trees_; t += lanes) {
    std::array<std::uint32_t, lanes> at{};
    const auto* threshold = &threshold_[t * splits];
    const auto* feature = &feature_[t * splits];
    for (int d = 0; d < depth_; ++d)
      for (std::size_t k = 0; k < lanes; ++k) {
        const auto n = k * splits + at[k];
        at[k] = 2 * at[k] + 1 + static_cast<std::uint32_t>(x[feature[n]] > threshold[n]);
      }
    for (std::size_t k = 0; k < lanes; ++k)
      sum += values_[leaf_[(t + k) * (splits + 1) + at[k] - splits]];
  }
  for (; t < trees_; ++t) {
    std::size_t at = 0;
    for (int d = 0; d < depth_; ++d)
      at = 2 * at + 1 + static_cast<std::size_t>(x[feature_[t * splits + at]] > threshold_[t * splits + at]);
    sum += values_[leaf_[t * (splits + 1) + at - splits]];
  }
  return sum;
}

} // namespace pulse::detection
