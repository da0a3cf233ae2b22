// See own_past.hpp.
#include "models/series/own_past.hpp"

#include <algorithm>
#include <cmath>

namespace pulse::series {

namespace {

/// Before so many values nothing is said.
constexpr std::size_t past_min = 100;
constexpr double tail_share = 0.03;
constexpr double rarity_max = 12;

} // namespace

sorted_past::sorted_past(std::size_t size_max) : size_max_(size_max) {
}

void sorted_past::add(double x) {
  sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), x), x);
  order_.push_back(x);
  if (order_.size() <= size_max_)
    return;
  sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), order_.front()));
  order_.pop_front();
}

double sorted_past::quantile(double p) const {
  if (sorted_.empty())
    return 0;
  const auto k = static_cast<std::size_t>(p * static_cast<double>(sorted_.size()));
  return sorted_[std::min(k, sorted_.size() - 1)];
}

double own_past::rarity(double x, bool believed) {
  double out = 0, taken = x;
  const auto& sorted = past_.values();
  const auto n = sorted.size();
  if (n >= past_min) {
    const auto top = std::max<std::size_t>(10, static_cast<std::size_t>(tail_share * static_cast<double>(n)));
    const auto u = std::max(sorted[n - 1 - top], 1e-12);
    if (!believed)
      taken = std::min(x, u);
    if (x > u) {
      double hill = 0;
      for (auto i = n - top; i < n; ++i)
        hill += std::log(std::max(sorted[i], u) / u);
      hill = std::max(hill / static_cast<double>(top), 0.1);
      out = -std::log10(static_cast<double>(top) / static_cast<double>(n)) + std::log10(x / u) / hill;
    }
  }
  past_.add(taken);
  return std::min(out, rarity_max);
}

} // namespace pulse::series
