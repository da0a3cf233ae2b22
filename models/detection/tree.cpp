// See tree.hpp.
#include "models/detection/tree.hpp"

#include <cmath>
#include <numbers>

namespace pulse::detection {

namespace {

double value_of(const node& at, std::span<const double> c) {
  return at.feature == leaf ? at.depth + c[at.n] : static_cast<double>(at.value);
}

} // namespace

double average_path_length(std::uint32_t n) {
  if (n <= 1)
    return 0;
  if (n == 2)
    return 1;
  const double m = n;
  return 2 * (std::log(m - 1) + std::numbers::egamma) - 2 * (m - 1) / m;
}

std::vector<double> path_length_table(std::uint32_t n) {
  std::vector<double> out(n + 1);
  for (std::uint32_t i = 0; i <= n; ++i)
    out[i] = average_path_length(i);
  return out;
}

void finish_tree(tree& t, std::span<const double> c) {
  // Children stand behind their parent, so going backwards meets them first.
  for (auto i = t.size(); i-- > 0;) {
    auto& at = t[i];
    if (at.feature == leaf) {
      at.value = static_cast<float>(at.depth + c[at.n]);
      continue;
    }
    const auto& l = t[i + 1];
    const auto& r = t[at.right];
    at.n = l.n + r.n;
    at.value = static_cast<float>((l.n * value_of(l, c) + r.n * value_of(r, c)) / at.n);
  }
}

void write_tree(binary::writer& out, const tree& t) {
  for (const auto& at : t) {
    if (at.feature == leaf) {
      out.put_varint(0);
      out.put_varint(at.n);
      continue;
    }
    out.put_varint(at.feature + 1u);
    out.put(at.threshold);
  }
}

std::optional<tree> read_tree(binary::reader& in, std::size_t columns, std::uint32_t psi, std::span<const double> c) {
  tree t;
  // Splits whose right child is still to come.
  std::vector<std::uint32_t> open;
  std::uint64_t rows = 0;
  for (std::uint16_t depth = 0;;) {
    const auto tag = in.get_varint();
    const auto here = static_cast<std::uint32_t>(t.size());
    if (!in.ok() || tag > columns || t.size() > 2ull * psi)
      return std::nullopt;
    if (tag != 0) {
      const auto threshold = in.get<float>();
      if (!in.ok() || !std::isfinite(threshold) || depth == tree_depth_max)
        return std::nullopt;
      t.push_back({threshold, 0, 0, 0, static_cast<std::uint16_t>(tag - 1), depth++});
      open.push_back(here);
      continue;
    }
    const auto n = in.get_varint();
    rows += n;
    if (!in.ok() || n == 0 || n > psi || rows > psi)
      return std::nullopt;
    t.push_back({0, 0, 0, static_cast<std::uint32_t>(n), leaf, depth});
    if (open.empty())
      break;
    t[open.back()].right = here + 1;
    depth = static_cast<std::uint16_t>(t[open.back()].depth + 1);
    open.pop_back();
  }
  t.shrink_to_fit();
  finish_tree(t, c);
  return t;
}

} // namespace pulse::detection
