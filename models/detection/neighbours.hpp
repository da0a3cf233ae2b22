// How far a row lies from its nearest neighbour in small samples of training (Sugiyama and Borgwardt, "Rapid
// distance-based outlier detection via sampling", 2013; several samples, averaged, after Aggarwal and Sathe 2015). A
// sample of 16 has few rows of any small cluster, so that a cluster of odd rows does not vouch for itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "models/binary/bytes.hpp"
#include "models/detection/random.hpp"

namespace pulse::detection {

class neighbours {
public:
  static constexpr std::size_t group = 16;
  static constexpr std::size_t rows_max = 256;

  /// `placed` row-major; `rows` are the ones to keep, at most rows_max.
  neighbours(std::span<const double> placed, std::size_t columns, std::span<const std::uint32_t> rows);
  neighbours() = default;

  /// Mean over the groups of log2(1 + d^2 / columns) to the nearest. A kept row that is `except` is passed over.
  double value(std::span<const double> placed, std::uint32_t except = none) const;

  /// Parts of value(), one a column, none negative.
  void explain(std::span<const double> placed, std::span<double> parts) const;

  static constexpr std::uint32_t none = 0xffffffff;

  bool empty() const {
    return rows_kept_ == 0;
  }

  /// The numbers of the kept rows are known until here; then `except` is no more.
  void forget_rows() {
    rows_ = {};
  }

  std::size_t memory_bytes() const {
    return points_.capacity() * sizeof(float) + rows_.capacity() * sizeof(std::uint32_t);
  }

  void write(binary::writer& out) const;
  bool read(binary::reader& in, std::size_t columns);

private:
  /// Square distances to the rows of one group.
  void distances(std::span<const double> placed, std::size_t g, std::span<float, group> out) const;
  void make_room(std::size_t rows, std::size_t columns);
  /// Where column j of kept row i stands.
  std::size_t place_of(std::size_t i, std::size_t j) const {
    return (i / group * columns_ + j) * group + i % group;
  }

  std::size_t groups() const {
    return (rows_kept_ + group - 1) / group;
  }

  /// Rows in a group: all but the last are full.
  std::size_t size_of(std::size_t g) const {
    return std::min(group, rows_kept_ - g * group);
  }

  std::size_t columns_ = 0;
  std::size_t rows_kept_ = 0;
  /// Kept rows in order of drawing: every `group` of them are one sample. Group by group, column by column, the group's
  /// rows side by side; whole 1/1024 that fit in 16 bits, so that the file has half; NaN is unknown.
  std::vector<float> points_;
  /// Their row numbers while fitting.
  std::vector<std::uint32_t> rows_;
};

} // namespace pulse::detection
