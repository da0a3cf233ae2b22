// See error_interval.hpp.
#include "models/series/error_interval.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <boost/math/distributions/students_t.hpp>

namespace pulse::series {

std::pair<double, double> error_interval(std::vector<double> errors, std::size_t origins, double level) {
  if (errors.empty())
    return {0, 0};
  std::sort(errors.begin(), errors.end());
  const auto n = static_cast<double>(errors.size());
  if (n < 2)
    return {errors.front(), errors.back()};
  const auto tail = (1 - level) / 2;
  const auto independent = std::min(n, static_cast<double>(std::max<std::size_t>(origins, 2)));
  if ((independent + 1) * tail < 1) {
    const auto mean = std::accumulate(errors.begin(), errors.end(), 0.0) / n;
    double square = 0;
    for (auto x : errors)
      square += (x - mean) * (x - mean);
    const auto half = quantile(complement(boost::math::students_t(independent - 1), tail)) *
                      std::sqrt(square / (n - 1) * (1 + 1 / independent));
    return {std::min(errors.front(), mean - half), std::max(errors.back(), mean + half)};
  }
  const auto rank = static_cast<std::size_t>((n + 1) * tail) - 1;
  return {errors[rank], errors[errors.size() - 1 - rank]};
}

} // namespace pulse::series
