// See error_interval.hpp.
#include "models/series/error_interval.hpp"

#include <algorithm>
#include <cmath>

#include <boost/math/distributions/students_t.hpp>

namespace pulse::series {

namespace {

/// The last error from one end that has no more than `room` of weight up to it.
template <class Iterator>
double within(Iterator at, Iterator last, double room) {
  auto out = at->size;
  for (double sum = 0; at != last && (sum += at->weight) <= room; ++at)
    out = at->size;
  return out;
}

} // namespace

std::pair<double, double> error_interval(std::vector<past_error> errors, std::size_t origins, double level) {
  if (errors.empty())
    return {0, 0};
  std::sort(errors.begin(), errors.end(), [](const auto& a, const auto& b) { return a.size < b.size; });
  const auto n = static_cast<double>(errors.size());
  if (n < 2)
    return {errors.front().size, errors.back().size};
  const auto tail = (1 - level) / 2;
  const auto independent = std::min(n, static_cast<double>(std::max<std::size_t>(origins, 2)));
  if ((independent + 1) * tail < 1) {
    double sum = 0, square = 0;
    for (const auto& e : errors)
      sum += e.size;
    const auto mean = sum / n;
    for (const auto& e : errors)
      square += (e.size - mean) * (e.size - mean);
    const auto half = quantile(complement(boost::math::students_t(independent - 1), tail)) *
                      std::sqrt(square / (n - 1) * (1 + 1 / independent));
    return {std::min(errors.front().size, mean - half), std::max(errors.back().size, mean + half)};
  }
  double all = 0, heaviest = 0;
  for (const auto& e : errors)
    all += e.weight, heaviest = std::max(heaviest, e.weight);
  const auto room = (all + heaviest) * tail;
  return {within(errors.begin(), errors.end(), room), within(errors.rbegin(), errors.rend(), room)};
}

} // namespace pulse::series
