// See calibration.hpp.
#include "models/detection/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <span>

namespace pulse::detection {

namespace {

constexpr std::size_t body_knots = 100;
constexpr double tail_min = 1e-12;
/// Scores that differ by less are the same: sums in another order differ by so little, and rows that are all alike
/// would otherwise be told apart by it.
constexpr double tie = 1e-9;
/// What a file may hold: differences stay finite.
constexpr double score_max = 1e12;

struct pareto {
  double shape = 0;
  double scale = 1;
};

/// "A new and efficient estimation method for the generalized Pareto distribution" (Zhang, Stephens 2009,
/// Technometrics 51). `x` ascending and above 0.
pareto fit_pareto(std::span<const double> x) {
  const auto n = static_cast<double>(x.size());
  const auto m = static_cast<std::size_t>(20 + std::sqrt(n));
  const auto quartile = x[static_cast<std::size_t>(n / 4 + 0.5) - (x.size() > 2 ? 1 : 0)];
  std::vector<double> theta(m), likelihood(m);
  for (std::size_t j = 0; j < m; ++j) {
    const auto root = std::sqrt(static_cast<double>(m) / (static_cast<double>(j) + 0.5));
    theta[j] = 1 / x.back() + (1 - root) / 3 / quartile;
    double k = 0;
    for (auto v : x)
      k += std::log1p(-theta[j] * v);
    k /= -n;
    likelihood[j] = n * (std::log(theta[j] / k) + k - 1);
  }
  double mean = 0, weights = 0;
  for (std::size_t j = 0; j < m; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < m; ++i)
      sum += std::exp(likelihood[i] - likelihood[j]);
    if (std::isfinite(sum) && sum > 0)
      mean += theta[j] / sum, weights += 1 / sum;
  }
  mean /= weights;
  double k = 0;
  for (auto v : x)
    k += std::log1p(-mean * v);
  k /= -n;
  return {-k, k / mean};
}

/// Order statistics from the lowest to the last one: even steps, and towards the top even steps in log share.
std::vector<std::size_t> knot_places(std::size_t n, std::size_t last) {
  std::vector<std::size_t> out;
  for (std::size_t k = 0; k <= body_knots; ++k)
    out.push_back(k * last / body_knots);
  for (auto above = static_cast<double>(n) / 2; above >= static_cast<double>(n - last); above *= 0.9)
    out.push_back(n - static_cast<std::size_t>(above));
  std::sort(out.begin(), out.end());
  return out;
}

double mean_of(std::span<const double> x) {
  double sum = 0;
  for (auto v : x)
    sum += v;
  return sum / static_cast<double>(x.size());
}

pareto fit_tail(std::span<const double> excess, double fallback_scale) {
  if (excess.size() < 3)
    return {0, fallback_scale};
  const auto exponential = pareto{0, mean_of(excess)};
  if (excess.size() < 10)
    return exponential;
  const auto fitted = fit_pareto(excess);
  if (!std::isfinite(fitted.shape) || !(fitted.scale > 0) || !std::isfinite(fitted.scale) || fitted.shape < 0)
    return exponential;
  return {std::min(fitted.shape, 1.0), fitted.scale};
}

} // namespace

double calibration::tail(double x) const {
  if (x > score.back() + tie) {
    const auto u = (x - score.back()) / scale;
    const auto p = shape > 1e-9 ? std::pow(1 + shape * u, -1 / shape) : std::exp(-u);
    return std::max(tail_min, tail_share * p);
  }
  x = std::min(x, score.back());
  const auto above = std::lower_bound(score.begin(), score.end(), x - tie);
  const auto i = static_cast<std::size_t>(above - score.begin());
  if (i == 0)
    return share.front();
  x = std::min(x, score[i]);
  return std::lerp(share[i - 1], share[i], (x - score[i - 1]) / (score[i] - score[i - 1]));
}

double calibration::limit(double p) const {
  if (p < tail_share) {
    const auto q = std::max(p, tail_min) / tail_share;
    return score.back() + scale * (shape > 1e-9 ? (std::pow(q, -shape) - 1) / shape : -std::log(q));
  }
  for (std::size_t i = share.size(); i-- > 1;)
    if (share[i - 1] >= p)
      return share[i - 1] == share[i]
                 ? score[i]
                 : std::lerp(score[i - 1], score[i], (share[i - 1] - p) / (share[i - 1] - share[i]));
  return score.front();
}

calibration fit_calibration(std::vector<double> scores) {
  std::sort(scores.begin(), scores.end());
  const auto n = scores.size();
  // The Pareto tail is for what the data do not reach; where they do, they are better.
  const auto last = n - 1 - std::min(n - 1, std::max<std::size_t>(n / 200, 10));
  calibration out;
  for (auto i : knot_places(n, last)) {
    if (!out.score.empty() && scores[i] <= out.score.back() + tie)
      continue;
    const auto first_equal = std::lower_bound(scores.begin(), scores.end(), scores[i] - tie) - scores.begin();
    out.score.push_back(scores[i]);
    out.share.push_back(static_cast<double>(n - static_cast<std::size_t>(first_equal)) / static_cast<double>(n));
  }
  std::vector<double> excess;
  for (auto s : scores)
    if (s > out.score.back() + tie)
      excess.push_back(s - out.score.back());
  const auto width = scores.back() - scores.front();
  const auto fitted = fit_tail(excess, width > tie ? width : 1e-3);
  out.tail_share = (static_cast<double>(excess.size()) + (excess.empty() ? 0.5 : 0)) / static_cast<double>(n);
  out.shape = fitted.shape;
  out.scale = fitted.scale;
  return out;
}

void write_calibration(binary::writer& out, const calibration& c) {
  out.put_varint(c.score.size());
  for (std::size_t i = 0; i < c.score.size(); ++i) {
    out.put(c.score[i]);
    out.put(c.share[i]);
  }
  out.put(c.tail_share);
  out.put(c.shape);
  out.put(c.scale);
}

std::optional<calibration> read_calibration(binary::reader& in) {
  calibration out;
  const auto n = in.get_count(16);
  out.score.reserve(n);
  out.share.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    out.score.push_back(in.get<double>());
    out.share.push_back(in.get<double>());
    const auto rising = i == 0 || (out.score[i] > out.score[i - 1] && out.share[i] <= out.share[i - 1]);
    if (!(std::abs(out.score[i]) <= score_max) || !(out.share[i] > 0) || out.share[i] > 1 || !rising)
      return std::nullopt;
  }
  out.tail_share = in.get<double>();
  out.shape = in.get<double>();
  out.scale = in.get<double>();
  const auto tail_good = out.tail_share > 0 && out.tail_share <= 1 && out.shape >= 0 && out.shape <= 1 &&
                         out.scale > 0 && out.scale <= score_max;
  if (!in.ok() || n == 0 || !tail_good)
    return std::nullopt;
  return out;
}

} // namespace pulse::detection
