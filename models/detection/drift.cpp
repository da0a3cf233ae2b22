// See drift.hpp.
#include "models/detection/drift.hpp"

#include <algorithm>
#include <cmath>

#include <boost/math/distributions/chi_squared.hpp>

#include "base/assert.hpp"

namespace pulse::detection {

namespace {

constexpr std::size_t missing_bin = drift_bins - 1;
/// Bins of the index are joined until they hold this share: small ones make it jump.
constexpr double index_share_min = 0.075;
/// In smaller windows the index passes the chi-square limit more often than it should: Kolmogorov's test judges alone.
constexpr double index_rows_min = 400;

/// Kolmogorov's distribution with Stephens' correction for small samples (1970, J. R. Stat. Soc. B 32).
double ks_probability(double distance, double rows) {
  const auto root = std::sqrt(rows);
  const auto x = (root + 0.12 + 0.11 / root) * distance;
  if (x < 0.3)
    return 1;
  double sum = 0;
  for (int k = 1; k <= 100; ++k)
    sum += (k % 2 == 1 ? 2 : -2) * std::exp(-2.0 * k * k * x * x);
  return std::clamp(sum, 0.0, 1.0);
}

struct bin_pair {
  double expected = 0;
  double seen = 0;
};

/// Neighbouring bins joined until each is large enough to compare.
std::vector<bin_pair> joined(std::span<const bin_pair> bins) {
  std::vector<bin_pair> out;
  bin_pair open;
  for (const auto& b : bins) {
    open.expected += b.expected, open.seen += b.seen;
    if (open.expected >= index_share_min) {
      out.push_back(open);
      open = {};
    }
  }
  if (out.empty())
    out.push_back(open);
  else
    out.back().expected += open.expected, out.back().seen += open.seen;
  return out;
}

/// Shares with half a row added to each bin, so that an empty one is no infinity.
double stability_index(std::span<const bin_pair> bins, double rows, double reference_rows) {
  const auto n = static_cast<double>(bins.size());
  double sum = 0;
  for (const auto& b : bins) {
    const auto seen = (b.seen * rows + 0.5) / (rows + 0.5 * n);
    const auto expected = (b.expected * reference_rows + 0.5) / (reference_rows + 0.5 * n);
    sum += (seen - expected) * std::log(seen / expected);
  }
  return sum;
}

} // namespace

std::size_t week_part(time_ms local) {
  // 1970-01-01 was a Thursday.
  const auto day = static_cast<std::int64_t>(std::floor(static_cast<double>(local.value) / day_ms));
  const auto weekday = ((day + 3) % 7 + 7) % 7;
  const auto hour = (local.value - day * day_ms) / hour_ms;
  return static_cast<std::size_t>((weekday >= 5 ? 4 : 0) + hour / 6);
}

drift_reference::drift_reference(std::span<const double> values, std::vector<std::string> names,
                                 std::span<const std::uint8_t> part) :
  names_(std::move(names)), edges_(names_.size()), counts_(names_.size()) {
  PULSE_ASSERT(!part.empty() && values.size() == part.size() * names_.size(), "one number a row and column");
  for (std::size_t j = 0; j < names_.size(); ++j) {
    std::vector<double> sorted;
    for (std::size_t i = 0; i < part.size(); ++i)
      if (const auto x = values[i * names_.size() + j]; !std::isnan(x))
        sorted.push_back(x);
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t k = 1; k < missing_bin && !sorted.empty(); ++k)
      if (const auto edge = sorted[k * (sorted.size() - 1) / missing_bin];
          edge < sorted.back() && (edges_[j].empty() || edge > edges_[j].back()))
        edges_[j].push_back(edge);
    // What lies beyond all of the reference is a bin too: a constant column that changes must show.
    if (edges_[j].empty() && !sorted.empty())
      edges_[j] = {std::nextafter(sorted.front(), -INFINITY), sorted.back()};
  }
  for (std::size_t i = 0; i < part.size(); ++i) {
    PULSE_ASSERT(part[i] < week_parts, "a part of the week");
    ++rows_[part[i]];
    for (std::size_t j = 0; j < names_.size(); ++j)
      ++counts_[j][part[i]][bin_of(j, values[i * names_.size() + j])];
  }
}

std::size_t drift_reference::bin_of(std::size_t column, double x) const {
  if (std::isnan(x))
    return missing_bin;
  const auto& edges = edges_[column];
  return static_cast<std::size_t>(std::lower_bound(edges.begin(), edges.end(), x) - edges.begin());
}

drift_window::drift_window(const drift_reference& reference) : reference_(&reference), counts_(reference.columns()) {
}

void drift_window::add(std::span<const double> row, std::size_t part) {
  PULSE_ASSERT(row.size() == counts_.size() && part < week_parts, "one number a column");
  ++rows_;
  ++part_rows_[part];
  for (std::size_t j = 0; j < row.size(); ++j)
    ++counts_[j][reference_->bin_of(j, row[j])];
}

drift_finding drift_window::compare(std::size_t column) const {
  // The reference as it would look with the window's own mixture of the week's parts.
  std::array<bin_pair, drift_bins> bins;
  const auto n = static_cast<double>(rows_);
  double variance = 0;
  for (std::size_t s = 0; s < week_parts; ++s) {
    const auto weight = static_cast<double>(part_rows_[s]) / n;
    if (!(weight > 0))
      continue;
    // A part of the week that the reference never saw is compared with all of it.
    const auto known = reference_->rows_[s] > 0;
    double rows = 0;
    std::array<double, drift_bins> counts{};
    for (std::size_t t = 0; t < week_parts; ++t) {
      if (known && t != s)
        continue;
      rows += static_cast<double>(reference_->rows_[t]);
      for (std::size_t b = 0; b < drift_bins; ++b)
        counts[b] += reference_->counts_[column][t][b];
    }
    for (std::size_t b = 0; b < drift_bins; ++b)
      bins[b].expected += weight * counts[b] / rows;
    variance += weight * weight / rows;
  }
  double below = 0, distance = 0;
  for (std::size_t b = 0; b < drift_bins; ++b) {
    bins[b].seen = counts_[column][b] / n;
    below += bins[b].seen - bins[b].expected;
    distance = std::max(distance, std::abs(below));
  }
  const auto m = 1 / variance;
  const auto index_bins = joined(bins);
  drift_finding out;
  out.name = reference_->names_[column];
  out.ks = distance;
  out.psi = stability_index(index_bins, n, m);
  double p_index = 1;
  if (index_bins.size() > 1) {
    const boost::math::chi_squared chi2(static_cast<double>(index_bins.size() - 1));
    const auto unit = 1 / n + 1 / m;
    out.psi_limit = unit * quantile(complement(chi2, 0.001));
    p_index = cdf(complement(chi2, std::max(out.psi, 0.0) / unit));
  }
  const auto p_ks = ks_probability(distance, n * m / (n + m));
  out.p = n < index_rows_min ? p_ks : std::min(1.0, 2 * std::min(p_index, p_ks));
  return out;
}

std::vector<drift_finding> drift_window::look() const {
  std::vector<drift_finding> out;
  if (rows_ < rows_min)
    return out;
  for (std::size_t j = 0; j < counts_.size(); ++j)
    out.push_back(compare(j));
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.p < b.p; });
  // Holm 1979: the k-th smallest of m against alpha / (m - k), until one fails.
  for (std::size_t k = 0; k < out.size(); ++k) {
    if (out[k].p * static_cast<double>(out.size() - k) > alpha)
      break;
    out[k].drifted = true;
  }
  return out;
}

} // namespace pulse::detection
