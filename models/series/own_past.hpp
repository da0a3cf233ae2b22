// What a series has shown so far, in order of size: the last values, and how rare a new one is among them.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

namespace pulse::series {

/// The last `size_max` values, sorted.
class sorted_past {
public:
  explicit sorted_past(std::size_t size_max);
  void add(double x);
  /// The value with a share p of the others below it; 0 while there is none.
  double quantile(double p) const;

  const std::vector<double>& values() const {
    return sorted_;
  }

private:
  std::size_t size_max_;
  std::deque<double> order_;
  std::vector<double> sorted_;
};

/// How rare a value is among its own past: beyond the top share the tail is a power law by Hill's estimator (1975), so
/// that heavy tails do not alarm all the time.
class own_past {
public:
  /// -log10 of the share of values at least as large where that is small, else 0; 0 until there are enough. Then takes
  /// the value in; where it is not `believed`, as if it were no rarer than the top share.
  double rarity(double x, bool believed = true);

  double quantile(double p) const {
    return past_.quantile(p);
  }

private:
  sorted_past past_{2'000};
};

} // namespace pulse::series
