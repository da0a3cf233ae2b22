// See series_score.hpp.
#include "tests/support/series_score.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>

namespace pulse::judge {

namespace {

double sigmoid(double y) {
  return y > 3 ? -1 : 2 / (1 + std::exp(5 * y)) - 1;
}

/// Labels from 0 to 1: full inside, falling with the root of the distance over `buffer` / 2 points on both sides.
std::vector<double> soft_labels(std::size_t n, const window_list& labelled, std::size_t buffer) {
  std::vector<double> out(n);
  const auto half = buffer / 2;
  for (const auto& [first, last] : labelled) {
    for (auto i = first; i <= last; ++i)
      out[i] = 1;
    for (std::size_t d = 1; d <= half; ++d) {
      const auto soft = std::sqrt(1 - static_cast<double>(d) / static_cast<double>(buffer));
      if (last + d < n)
        out[last + d] = std::max(out[last + d], soft);
      if (first >= d)
        out[first - d] = std::max(out[first - d], soft);
    }
  }
  return out;
}

double range_pr(const std::vector<std::size_t>& order, const window_list& labelled, std::size_t n, std::size_t buffer) {
  const auto labels = soft_labels(n, labelled, buffer);
  double soft = 0, hard = 0;
  for (auto x : labels)
    soft += x;
  for (const auto& [first, last] : labelled)
    hard += static_cast<double>(last - first + 1);
  const auto positives = (soft + hard) / 2;
  std::vector<std::size_t> owner(n, labelled.size());
  for (std::size_t w = 0; w < labelled.size(); ++w)
    for (auto i = labelled[w].first - std::min(labelled[w].first, buffer / 2);
         i <= std::min(n - 1, labelled[w].second + buffer / 2); ++i)
      owner[i] = w;
  std::vector<bool> touched(labelled.size());
  double hits = 0, existing = 0, area = 0, recall_before = 0;
  const auto stride = std::max<std::size_t>(1, n / 250);
  for (std::size_t k = 0; k < n; ++k) {
    const auto i = order[k];
    hits += labels[i];
    if (const auto w = owner[i]; w < labelled.size() && labels[i] > 0 && !touched[w])
      touched[w] = true, ++existing;
    if ((k + 1) % stride != 0 && k + 1 != n)
      continue;
    const auto recall = std::min(1.0, hits / positives) * existing / static_cast<double>(labelled.size());
    area += std::max(0.0, recall - recall_before) * hits / static_cast<double>(k + 1);
    recall_before = std::max(recall_before, recall);
  }
  return area;
}

} // namespace

nab_sum nab_score(std::span<const bool> alarms, const window_list& labelled, nab_profile profile) {
  nab_sum out;
  out.windows = labelled.size();
  const auto n = alarms.size();
  std::vector<bool> hit(labelled.size());
  for (auto i = std::min<std::size_t>(static_cast<std::size_t>(0.15 * static_cast<double>(n)), 750); i < n; ++i) {
    if (!alarms[i])
      continue;
    double cost = -1;
    bool inside = false;
    for (std::size_t w = 0; w < labelled.size(); ++w) {
      const auto [first, last] = labelled[w];
      const auto width = static_cast<double>(last - first + 1);
      if (i >= first && i <= last) {
        inside = true;
        if (!hit[w]) {
          out.raw += sigmoid(-static_cast<double>(last - i + 1) / width) / sigmoid(-1);
          out.delays.push_back(i - first);
          ++out.found;
        }
        hit[w] = true;
      } else if (i > last) {
        cost = sigmoid(static_cast<double>(i - last) / std::max(1.0, width - 1));
      }
    }
    if (!inside)
      out.raw += profile.false_alarm * cost, ++out.false_alarms;
  }
  out.raw -= profile.missed * static_cast<double>(out.windows - out.found);
  return out;
}

double nab_normalised(double raw, std::size_t windows, nab_profile profile) {
  const auto n = static_cast<double>(windows);
  return 100 * (raw + profile.missed * n) / ((1 + profile.missed) * n);
}

double vus_pr(std::span<const double> scores, const window_list& labelled, std::size_t buffer) {
  std::vector<std::size_t> order(scores.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
  constexpr std::size_t steps = 10;
  double sum = 0;
  for (std::size_t k = 0; k <= steps; ++k)
    sum += range_pr(order, labelled, scores.size(), buffer * k / steps);
  return sum / (steps + 1);
}

std::vector<double> poly_residual(std::span<const double> x, std::size_t window, std::size_t reach, int degree) {
  const auto n = x.size();
  std::vector<double> error(n), out(n);
  const auto half = window / 2;
  // The fit at the middle is a fixed weighting of the neighbours as long as none is cut off.
  const auto weights = [&](std::size_t left, std::size_t right) {
    const auto rows = static_cast<Eigen::Index>(left + right + 1);
    Eigen::MatrixXd a(rows, degree + 1);
    Eigen::VectorXd use(rows);
    for (Eigen::Index r = 0; r < rows; ++r) {
      const auto place = static_cast<double>(r) - static_cast<double>(left);
      use[r] = std::abs(place) > static_cast<double>(half) ? 1 : 0;
      for (int d = 0; d <= degree; ++d)
        a(r, d) = std::pow(place / static_cast<double>(reach), d);
    }
    const Eigen::MatrixXd gram = a.transpose() * use.asDiagonal() * a;
    const Eigen::MatrixXd solved = gram.ldlt().solve((a.transpose() * use.asDiagonal()).eval());
    return Eigen::VectorXd(solved.row(0).transpose());
  };
  const auto full = weights(reach, reach);
  for (std::size_t i = 0; i < n; ++i) {
    const auto left = std::min(i, reach), right = std::min(n - 1 - i, reach);
    const auto w = left == reach && right == reach ? full : weights(left, right);
    double fit = 0;
    for (std::size_t k = 0; k < left + right + 1; ++k)
      fit += w[static_cast<Eigen::Index>(k)] * x[i - left + k];
    error[i] = (x[i] - fit) * (x[i] - fit);
  }
  for (std::size_t i = 0; i < n; ++i) {
    const auto first = i - std::min(i, half), last = std::min(n - 1, i + half);
    for (auto k = first; k <= last; ++k)
      out[i] += error[k] / static_cast<double>(last - first + 1);
    out[i] = std::sqrt(out[i]);
  }
  return out;
}

} // namespace pulse::judge
