// Which rows a tree is grown from; see grow.hpp.
#include <algorithm>

#include "models/detection/grow.hpp"

namespace pulse::detection {

std::vector<std::uint32_t> draw_sample(std::size_t rows, std::uint32_t n, random_stream& random) {
  // Floyd's algorithm (Bentley, Programming Pearls 1987) over a sorted list: n is small.
  std::vector<std::uint32_t> out;
  out.reserve(n);
  for (auto j = static_cast<std::uint32_t>(rows) - n; j < rows; ++j) {
    const auto pick = random.below(j + 1);
    const auto place = std::lower_bound(out.begin(), out.end(), pick);
    if (place != out.end() && *place == pick)
      out.push_back(j); // j is larger than all drawn so far
    else
      out.insert(place, pick);
  }
  return out;
}

} // namespace pulse::detection
