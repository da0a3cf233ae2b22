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

float to_point(std::int16_t parts) {
  return parts == unknown ? NAN : static_cast<float>(parts / parts_of_one);
}

std::int16_t to_parts(double x) {
  return std::isnan(x) ? unknown : static_cast<std::int16_t>(std::lround(x * parts_of_one));
}

} // namespace

neighbours::neighbours(std::span<const double> placed, std::size_t columns, std::span<const std::uint32_t> rows) :
  rows_(rows.begin(), rows.end()) {
  make_room(rows.size(), columns);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < columns; ++j)
      points_[place_of(i, j)] = to_point(to_parts(placed[rows[i] * columns + j]));
}

void neighbours::make_room(std::size_t rows, std::size_t columns) {
  columns_ = columns;
  rows_kept_ = rows;
  points_.assign(groups() * columns * group, 0);
}

void neighbours::distances(std::span<const double> placed, std::size_t g, std::span<float, group> out) const {
  std::fill(out.begin(), out.end(), 0.0f);
  const auto* at = &points_[g * columns_ * group];
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
    const auto* at = &points_[g * columns_ * group + k];
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
  out.put_varint(rows_kept_);
  for (std::size_t i = 0; i < rows_kept_; ++i)
    for (std::size_t j = 0; j < columns_; ++j)
      out.put(to_parts(static_cast<double>(points_[place_of(i, j)])));
}

bool neighbours::read(binary::reader& in, std::size_t columns) {
  const auto n = in.get_count(2 * columns);
  if (!in.ok() || n < 1 || n > rows_max)
    return false;
  make_room(n, columns);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      points_[place_of(i, j)] = to_point(in.get<std::int16_t>());
  return in.ok();
}

} // namespace pulse::detection
