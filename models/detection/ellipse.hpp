// How far a row lies from the inner part of training, measured in that part's own correlations: a robust Mahalanobis
// distance (the concentration steps of Rousseeuw and Van Driessen, "A fast algorithm for the minimum covariance
// determinant estimator", 1999, from one deterministic start). It sees a row whose columns are each ordinary and
// together are not.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "models/binary/bytes.hpp"
#include "models/detection/grow.hpp"
#include "models/detection/range.hpp"

namespace pulse::detection {

/// Columns brought to one measure: centred at what is typical, in deviations, within 20 of them; NaN stays NaN.
struct column_scale {
  /// So wide that every value lies at the centre.
  static constexpr float no_measure = 1e38f;

  float centre = 0;
  float width = 1;

  double place(float x) const;
};

/// Typical value, and standard deviation within the usual range (its scale where that is 0). A column of two values has
/// no measure: how rare the rarer one is says all there is, and that the tails and forests count. As a distance a flag
/// of 3 % lies six deviations out, and in an inner part without it infinitely far.
column_scale fit_scale(std::span<const float> column, const column_range& range);

class ellipse {
public:
  /// More columns make no ellipse: its file grows with their square.
  static constexpr std::size_t columns_max = 128;

  /// log2(1 + d^2 / columns); 0 in the centre, where a NaN is taken to be.
  double value(std::span<const double> placed) const;

  /// Parts of value(), one a column; some may be negative.
  void explain(std::span<const double> placed, std::span<double> parts) const;

  bool empty() const {
    return centre_.empty();
  }

  std::size_t memory_bytes() const {
    return (centre_.capacity() + inverse_.capacity()) * sizeof(float);
  }

  void write(binary::writer& out) const;
  bool read(binary::reader& in, std::size_t columns);

  /// Rows of placed values, row-major, of which a share is the inner part. They may be few: shrinkage keeps it sane.
  friend ellipse fit_ellipse(std::span<const double> placed, std::size_t columns, double share);

private:
  double square(std::span<const double> placed, std::span<double> parts) const;

  std::vector<float> centre_;
  /// Inverse of the covariance, full and symmetric, row by row.
  std::vector<float> inverse_;
};

ellipse fit_ellipse(std::span<const double> placed, std::size_t columns, double share);

} // namespace pulse::detection
