// See ellipse.hpp.
#include "models/detection/ellipse.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace pulse::detection {

namespace {

constexpr double place_max = 20;
constexpr int steps = 5;
/// Added to each column's variance, in mean variances: columns that do not vary in the inner part, or are each other's
/// copies, must not make everything infinitely far.
constexpr double ridge = 1e-3;

/// Inverse of a symmetric positive definite matrix by its Cholesky factor, both full and row-major.
std::vector<double> inverse_of(std::vector<double> a, std::size_t n) {
  // a becomes the factor L: a = L L'.
  for (std::size_t j = 0; j < n; ++j)
    for (std::size_t i = j; i < n; ++i) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k)
        sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? std::sqrt(std::max(sum, 1e-12)) : sum / a[j * n + j];
    }
  std::vector<double> out(n * n);
  std::vector<double> x(n);
  for (std::size_t c = 0; c < n; ++c) {
    for (std::size_t i = 0; i < n; ++i) {
      double sum = i == c ? 1 : 0;
      for (std::size_t k = 0; k < i; ++k)
        sum -= a[i * n + k] * x[k];
      x[i] = sum / a[i * n + i];
    }
    for (auto i = n; i-- > 0;) {
      double sum = x[i];
      for (auto k = i + 1; k < n; ++k)
        sum -= a[k * n + i] * x[k];
      x[i] = sum / a[i * n + i];
    }
    for (std::size_t i = 0; i < n; ++i)
      out[i * n + c] = x[i];
  }
  return out;
}

/// The share of rows with the smallest distances, at least one; ties by row number.
std::vector<std::size_t> inner_rows(std::span<const double> distance, double share) {
  std::vector<std::size_t> order(distance.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  const auto part = static_cast<std::ptrdiff_t>(std::ceil(share * static_cast<double>(order.size())));
  const auto nearer = [&](std::size_t a, std::size_t b) {
    return distance[a] != distance[b] ? distance[a] < distance[b] : a < b;
  };
  std::nth_element(order.begin(), order.begin() + part - 1, order.end(), nearer);
  order.resize(static_cast<std::size_t>(part));
  std::sort(order.begin(), order.end());
  return order;
}

/// Of the known values; 0 for a column without any.
std::vector<double> mean_of(std::span<const double> placed, std::size_t columns, std::span<const std::size_t> rows) {
  std::vector<double> sum(columns), n(columns);
  for (auto i : rows)
    for (std::size_t j = 0; j < columns; ++j)
      if (const auto x = placed[i * columns + j]; !std::isnan(x))
        sum[j] += x, ++n[j];
  for (std::size_t j = 0; j < columns; ++j)
    sum[j] = n[j] > 0 ? sum[j] / n[j] : 0;
  return sum;
}

/// About the mean, unknown values taken as the mean, with the ridge.
std::vector<double> covariance_of(std::span<const double> placed, std::size_t columns,
                                  std::span<const std::size_t> rows, std::span<const double> mean) {
  std::vector<double> out(columns * columns), v(columns);
  for (auto i : rows) {
    for (std::size_t j = 0; j < columns; ++j) {
      const auto x = placed[i * columns + j];
      v[j] = std::isnan(x) ? 0 : x - mean[j];
    }
    for (std::size_t j = 0; j < columns; ++j)
      for (std::size_t k = 0; k <= j; ++k)
        out[j * columns + k] += v[j] * v[k];
  }
  const auto n = static_cast<double>(rows.size());
  double trace = 0;
  for (std::size_t j = 0; j < columns; ++j)
    trace += out[j * columns + j] / n;
  const auto added = ridge * std::max(trace / static_cast<double>(columns), 1e-6);
  for (std::size_t j = 0; j < columns; ++j)
    for (std::size_t k = 0; k <= j; ++k) {
      auto& x = out[j * columns + k];
      x = x / n + (j == k ? added : 0);
      out[k * columns + j] = x;
    }
  return out;
}

} // namespace

namespace {

bool has_two_values(std::span<const float> column) {
  float first = NAN, other = NAN;
  for (auto x : column) {
    if (std::isnan(x) || x == first || x == other)
      continue;
    if (!std::isnan(other))
      return false;
    (std::isnan(first) ? first : other) = x;
  }
  return !std::isnan(other);
}

} // namespace

double column_scale::place(float x) const {
  if (width == no_measure)
    return std::isnan(x) ? static_cast<double>(x) : 0;
  // A NaN comes through the clamp.
  return std::clamp((static_cast<double>(x) - centre) / width, -place_max, place_max);
}

column_scale fit_scale(std::span<const float> column, const column_range& range) {
  if (has_two_values(column))
    return {0, column_scale::no_measure};
  double n = 0, sum = 0, squares = 0;
  for (const auto x : column)
    if (!std::isnan(x)) {
      // In widths of the scale: squares of large numbers overflow.
      const auto u = (std::clamp(static_cast<double>(x), range.low, range.high) - range.typical) / range.scale;
      sum += u, squares += u * u, ++n;
    }
  const auto deviation = n > 0 ? std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n))) : 0;
  const auto width = range.scale * (deviation > 0 ? deviation : 1);
  const auto narrow = [](double x) {
    return static_cast<float>(std::clamp(x, -1e30, 1e30));
  };
  return {narrow(range.typical), narrow(std::max(width, 1e-30))};
}

double ellipse::square(std::span<const double> placed, std::span<double> parts) const {
  const auto n = placed.size();
  std::array<double, columns_max> v;
  for (std::size_t j = 0; j < n; ++j)
    v[j] = std::isnan(placed[j]) ? 0 : placed[j] - static_cast<double>(centre_[j]);
  // The inverse is symmetric: going by rows adds whole vectors, which the processor does several at a time.
  std::array<double, columns_max> product;
  std::fill_n(product.begin(), n, 0.0);
  for (std::size_t j = 0; j < n; ++j) {
    const auto* row = &inverse_[j * n];
    for (std::size_t i = 0; i < n; ++i)
      product[i] += static_cast<double>(row[i]) * v[j];
  }
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (!parts.empty())
      parts[i] = product[i] * v[i];
    sum += product[i] * v[i];
  }
  return std::max(sum, 0.0);
}

double ellipse::value(std::span<const double> placed) const {
  return std::log2(1 + square(placed, {}) / static_cast<double>(placed.size()));
}

void ellipse::explain(std::span<const double> placed, std::span<double> parts) const {
  const auto d2 = square(placed, parts);
  const auto share = d2 > 0 ? std::log2(1 + d2 / static_cast<double>(placed.size())) / d2 : 0;
  for (auto& p : parts)
    p *= share;
}

void ellipse::write(binary::writer& out) const {
  const auto n = centre_.size();
  for (auto x : centre_)
    out.put(x);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j)
      out.put(inverse_[i * n + j]);
}

bool ellipse::read(binary::reader& in, std::size_t columns) {
  centre_.resize(columns);
  inverse_.resize(columns * columns);
  auto good = true;
  for (auto& x : centre_) {
    x = in.get<float>();
    good = good && std::abs(x) <= place_max;
  }
  for (std::size_t i = 0; i < columns; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const auto x = in.get<float>();
      inverse_[i * columns + j] = inverse_[j * columns + i] = x;
      good = good && std::abs(x) < 1e12f;
    }
  return good && in.ok();
}

ellipse fit_ellipse(std::span<const double> placed, std::size_t columns, double share) {
  const auto rows = placed.size() / columns;
  std::vector<double> distance(rows);
  for (std::size_t i = 0; i < rows; ++i)
    for (auto x : placed.subspan(i * columns, columns))
      distance[i] += std::isnan(x) ? 0 : x * x;
  ellipse out;
  for (int step = 0; step < steps; ++step) {
    const auto inner = inner_rows(distance, share);
    const auto mean = mean_of(placed, columns, inner);
    const auto inverse = inverse_of(covariance_of(placed, columns, inner, mean), columns);
    out.centre_.assign(mean.begin(), mean.end());
    out.inverse_.assign(inverse.begin(), inverse.end());
    for (std::size_t i = 0; i < rows; ++i)
      distance[i] = out.square(placed.subspan(i * columns, columns), {});
  }
  return out;
}

} // namespace pulse::detection
