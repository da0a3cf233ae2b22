// Bands for counts and rates: what lies within usual chance when the past had a mean and a scatter. Pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace pulse::series {

struct band {
  double expected = 0;
  double lower = 0;
  double upper = 0;
};

/// A count whose mean is `mean` and whose variance is `variance`: negative binomial by moments, Poisson where the
/// variance is not above the mean.
class count_law {
public:
  count_law(double mean, double variance);
  /// P(X <= k), P(X >= k).
  double at_most(double k) const;
  double at_least(double k) const;
  /// Holds at least `level` of the counts, the same share beyond each side at most.
  band interval(double level) const;

private:
  double mean_;
  double size_;
};

/// From past counts of the same place in the season; at least two, else everything is possible.
count_law fit_counts(std::span<const double> past);

struct tally {
  double hits = 0;
  double trials = 0;
};

/// Hits among `trials` when the rate itself scatters: beta-binomial, fitted to the past by moments (Kleinman 1973),
/// binomial where the past scatters no more than that.
class rate_law {
public:
  rate_law(double rate, double overdispersion);
  double at_most(double hits, std::int64_t trials) const;
  double at_least(double hits, std::int64_t trials) const;
  /// As a share of `trials`.
  band interval(std::int64_t trials, double level) const;

  double rate() const {
    return rate_;
  }

  /// Correlation of two trials of one period; 0 is binomial.
  double overdispersion() const {
    return rho_;
  }

private:
  double rate_;
  double rho_;
};

rate_law fit_rates(std::span<const tally> past);

} // namespace pulse::series
