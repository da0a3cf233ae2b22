// From a score that means something else in every data set to "how rare is this": the share of training rows, scored
// by trees that had not seen them, that are at least as unusual. Beyond the data a generalised Pareto tail goes on.
#pragma once

#include <optional>
#include <vector>

#include "models/binary/bytes.hpp"

namespace pulse::detection {

struct calibration {
  /// Scores ascending, and the share of rows at or above each.
  std::vector<double> score;
  std::vector<double> share;
  /// Above score.back(): tail_share * (1 + shape * (x - score.back()) / scale)^(-1/shape).
  double tail_share = 0;
  double shape = 0;
  double scale = 1;

  /// Share of rows at least as unusual, in (0, 1].
  double tail(double x) const;
  /// The score that a share p of rows reaches: the alarm limit for "p of all".
  double limit(double p) const;

  std::size_t memory_bytes() const {
    return (score.capacity() + share.capacity()) * sizeof(double);
  }
};

/// `scores` are of rows out of bag; at least one. Tail: the top two-hundredth, at least ten, by Zhang and Stephens
/// (2009), shape in [0, 1] (a heavier tail than the truth gives fewer false alarms).
calibration fit_calibration(std::vector<double> scores);

void write_calibration(binary::writer& out, const calibration& c);
std::optional<calibration> read_calibration(binary::reader& in);

} // namespace pulse::detection
