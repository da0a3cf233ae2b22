// Which rows a tree is grown from; see grow.hpp.
#include <algorithm>

#include "models/detection/grow.hpp"

namespace pulse::detection {

std::vector<std::uint32_t> draw_sample(std::size_t rows, std::uint32_t n, random_stream& random) {
  // Floyd's algorithm (Bentley, Programming Pearls 1987).
  std::vector<bool> taken(rows);
  std::vector<std::uint32_t> out;
  out.reserve(n);
  for (auto j = static_cast<std::uint32_t>(rows) - n; j < rows; ++j) {
    const auto pick = random.below(j + 1);
    out.push_back(taken[pick] ? j : pick);
    taken[out.back()] = true;
  }
  std::sort(out.begin(), out.end());
  return out;
}

} // namespace pulse::detection
