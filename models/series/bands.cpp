// See bands.hpp.
#include "models/series/bands.hpp"

#include <algorithm>
#include <cmath>

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/negative_binomial.hpp>
#include <boost/math/distributions/poisson.hpp>

namespace pulse::series {

namespace {

constexpr double mean_min = 1e-6;
constexpr double size_min = 1e-3;
constexpr double size_max = 1e6;
constexpr double count_max = 1e9;

/// Smallest k in [0, top] with cdf(k) >= p, by halving.
template <class Cdf>
double smallest(double top, double p, const Cdf& cdf) {
  double low = -1, high = top;
  while (high - low > 1) {
    const auto middle = std::floor((low + high) / 2);
    (cdf(middle) >= p ? high : low) = middle;
  }
  return high;
}

double log_choose(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

double log_beta(double a, double b) {
  return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
}

} // namespace

count_law::count_law(double mean, double variance) :
  mean_(std::clamp(mean, mean_min, count_max)),
  size_(variance > mean_ ? std::clamp(mean_ * mean_ / (variance - mean_), size_min, size_max) : size_max) {
}

double count_law::at_most(double k) const {
  if (k < 0)
    return 0;
  k = std::min(k, count_max);
  if (size_ >= size_max)
    return cdf(boost::math::poisson(mean_), std::floor(k));
  return cdf(boost::math::negative_binomial(size_, size_ / (size_ + mean_)), std::floor(k));
}

double count_law::at_least(double k) const {
  if (k <= 0)
    return 1;
  k = std::min(k, count_max);
  if (size_ >= size_max)
    return cdf(complement(boost::math::poisson(mean_), std::ceil(k) - 1));
  return cdf(complement(boost::math::negative_binomial(size_, size_ / (size_ + mean_)), std::ceil(k) - 1));
}

band count_law::interval(double level) const {
  const auto tail = (1 - level) / 2;
  const auto top = 100 + 1000 * mean_;
  const auto below = [&](double k) {
    return at_most(k);
  };
  return {mean_, smallest(top, tail, below), smallest(top, 1 - tail, below)};
}

count_law fit_counts(std::span<const double> past) {
  double mean = 0, square = 0;
  const auto n = static_cast<double>(past.size());
  for (auto x : past)
    mean += x / n;
  for (auto x : past)
    square += (x - mean) * (x - mean);
  // One unseen count scatters around a mean that is itself an estimate.
  const auto variance = n > 1 ? square / (n - 1) * (1 + 1 / n) : 1e9;
  return {mean, std::max(variance, mean * (1 + 1 / std::max(n, 1.0)))};
}

rate_law::rate_law(double rate, double overdispersion) :
  rate_(std::clamp(rate, 1e-9, 1 - 1e-9)), rho_(std::clamp(overdispersion, 0.0, 0.99)) {
}

double rate_law::at_most(double hits, std::int64_t trials) const {
  if (hits < 0)
    return 0;
  if (hits >= static_cast<double>(trials))
    return 1;
  const auto n = static_cast<double>(trials);
  if (rho_ < 1e-6)
    return cdf(boost::math::binomial(n, rate_), std::floor(hits));
  const auto sum = 1 / rho_ - 1, a = rate_ * sum, b = (1 - rate_) * sum;
  double out = 0;
  for (double k = 0; k <= std::floor(hits); ++k)
    out += std::exp(log_choose(n, k) + log_beta(k + a, n - k + b) - log_beta(a, b));
  return std::min(out, 1.0);
}

double rate_law::at_least(double hits, std::int64_t trials) const {
  return rate_law(1 - rate_, rho_).at_most(static_cast<double>(trials) - std::ceil(hits), trials);
}

band rate_law::interval(std::int64_t trials, double level) const {
  if (trials < 1)
    return {rate_, 0, 1};
  const auto n = static_cast<double>(trials), tail = (1 - level) / 2;
  const auto below = [&](double k) {
    return at_most(k, trials);
  };
  return {rate_, smallest(n, tail, below) / n, smallest(n, 1 - tail, below) / n};
}

rate_law fit_rates(std::span<const tally> past) {
  double hits = 0, trials = 0, squares = 0;
  for (const auto& p : past)
    hits += p.hits, trials += p.trials, squares += p.trials * p.trials;
  if (trials <= 0)
    return {0.5, 0.99};
  const auto rate = hits / trials;
  double scatter = 0;
  for (const auto& p : past)
    if (p.trials > 0)
      scatter += p.trials * (p.hits / p.trials - rate) * (p.hits / p.trials - rate);
  const auto n = static_cast<double>(past.size());
  // Moments: E[scatter] = rate (1 - rate) ((n - 1) + rho (trials - squares / trials - (n - 1))).
  const auto room = trials - squares / trials - (n - 1);
  const auto usual = rate * (1 - rate);
  return {rate, room > 0 && usual > 0 ? (scatter / usual - (n - 1)) / room : 0};
}

} // namespace pulse::series
