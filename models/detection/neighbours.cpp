// See neighbours.hpp.
#include "models/detection/neighbours.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace pulse::detection {

namespace {

/// Placed values lie within 20: this many parts of one fit a 16 bit number.
constexpr double parts_of_one = 1024;
constexpr std::int16_t unknown = -32768;

} // namespace

neighbours::neighbours(std::span<const double> placed, std::size_t columns, std::span<const std::uint32_t> rows) :
  columns_(columns), rows_(rows.begin(), rows.end()) {
  for (auto r : rows)
    for (auto x : placed.subspan(r * columns, columns))
      points_.push_back(std::isnan(x) ? unknown : static_cast<std::int16_t>(std::lround(x * parts_of_one)));
  lay_out();
}

void neighbours::lay_out() {
  rows_kept_ = points_.size() / columns_;
  wide_.assign(groups() * columns_ * group, 0);
  for (std::size_t i = 0; i < rows_kept_; ++i)
    for (std::size_t j = 0; j < columns_; ++j) {
      const auto p = points_[i * columns_ + j];
      wide_[(i / group * columns_ + j) * group + i % group] = p == unknown ? NAN : static_cast<float>(p / parts_of_one);
    }
}

void neighbours::distances(std::span<const double> placed, std::size_t g, std::span<float, group> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  const auto* at = &wide_[g * columns_ * group];
  for (std::size_t j = 0; j < columns_; ++j, at += group) {
    const auto x = static_cast<float>(placed[j]);
    for (std::size_t k = 0; k < group; ++k) {
      // A value that is not known on one of the sides is no distance: then the square is NaN and loses.
      const auto u = x - at[k];
      const auto square = u * u;
      out[k] += square >= 0 ? square : 0;
    }
  }
}

double neighbours::value(std::span<const double> placed, std::uint32_t except) const {
  std::array<float, group> d;
  // One logarithm of a product: at most 1,601 to the 16th.
  double product = 1, compared = 0;
  for (std::size_t g = 0; g < groups(); ++g) {
    distances(placed, g, d);
    auto nearest = INFINITY;
    for (std::size_t k = 0; k < size_of(g); ++k)
      if (except == none || rows_[g * group + k] != except)
        nearest = std::min(nearest, d[k]);
    if (nearest < INFINITY)
      product *= 1 + static_cast<double>(nearest) / static_cast<double>(columns_), ++compared;
  }
  return compared > 0 ? std::log2(product) / compared : 0;
}

void neighbours::explain(std::span<const double> placed, std::span<double> parts) const {
  std::array<float, group> d;
  for (std::size_t g = 0; g < groups(); ++g) {
    distances(placed, g, d);
    const auto k =
        static_cast<std::size_t>(std::min_element(d.begin(), d.begin() + static_cast<long>(size_of(g))) - d.begin());
    const auto nearest = static_cast<double>(d[k]);
    const auto* at = &wide_[g * columns_ * group + k];
    double squares = 0;
    for (std::size_t j = 0; j < columns_; ++j) {
      const auto u = placed[j] - static_cast<double>(at[j * group]);
      squares += u * u >= 0 ? u * u : 0;
    }
    if (!(squares > 0))
      continue;
    const auto share = std::log2(1 + nearest / static_cast<double>(columns_)) / squares / static_cast<double>(groups());
    for (std::size_t j = 0; j < columns_; ++j) {
      const auto u = placed[j] - static_cast<double>(at[j * group]);
      parts[j] += u * u >= 0 ? share * u * u : 0;
    }
  }
}

void neighbours::write(binary::writer& out) const {
  out.put_varint(points_.size() / columns_);
  for (auto x : points_)
    out.put(x);
}

bool neighbours::read(binary::reader& in, std::size_t columns) {
  columns_ = columns;
  const auto n = in.get_count(2 * columns);
  if (!in.ok() || n < 1 || n > rows_max)
    return false;
  points_.resize(n * columns);
  for (auto& x : points_)
    x = in.get<std::int16_t>();
  lay_out();
  return in.ok();
}

} // namespace pulse::detection
