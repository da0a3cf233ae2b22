// See tree.hpp.
#include "models/detection/tree.hpp"

#include <cmath>
#include <numbers>

namespace pulse::detection {

namespace {

double value_of(const node& at, std::span<const double> c) {
  return at.feature == leaf ? at.depth + c[at.n] : static_cast<double>(at.value);
}

double both_ways(const tree& t, std::size_t i, std::span<const float> row, std::span<const double> c) {
  for (;;) {
    const auto& at = t[i];
    if (at.feature == leaf)
      return at.depth + c[at.n];
    const auto x = row[at.feature];
    if (std::isnan(x)) {
      const auto left = static_cast<double>(t[i + 1].n) / at.n;
      return left * both_ways(t, i + 1, row, c) + (1 - left) * both_ways(t, at.right, row, c);
    }
    i = x <= at.threshold ? i + 1 : at.right;
  }
}

void attribute_from(const tree& t, std::size_t i, std::span<const float> row, std::span<const double> c, double scale,
                    std::span<double> per_column) {
  while (t[i].feature != leaf) {
    const auto& at = t[i];
    const auto x = row[at.feature];
    const auto here = value_of(at, c);
    if (std::isnan(x)) {
      // value(node) is a float: what its rounding leaves over is this column's, so that sums stay exact.
      const auto left = static_cast<double>(t[i + 1].n) / at.n;
      per_column[at.feature] += scale * (left * value_of(t[i + 1], c) + (1 - left) * value_of(t[at.right], c) - here);
      attribute_from(t, i + 1, row, c, scale * left, per_column);
      scale *= 1 - left;
      i = at.right;
      continue;
    }
    const auto next = x <= at.threshold ? i + 1 : std::size_t{at.right};
    per_column[at.feature] += scale * (value_of(t[next], c) - here);
    i = next;
  }
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

double path_length(const tree& t, std::span<const float> row, std::span<const double> c, bool has_missing) {
  if (has_missing)
    return both_ways(t, 0, row, c);
  std::size_t i = 0;
  while (t[i].feature != leaf)
    i = row[t[i].feature] <= t[i].threshold ? i + 1 : t[i].right;
  return t[i].depth + c[t[i].n];
}

void attribute_path(const tree& t, std::span<const float> row, std::span<const double> c, double scale,
                    std::span<double> per_column) {
  attribute_from(t, 0, row, c, scale, per_column);
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
      if (!in.ok() || !std::isfinite(threshold))
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
