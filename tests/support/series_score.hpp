// How detectors of odd points are judged: the scoring of the Numenta Anomaly Benchmark (Lavin, Ahmad 2015), the volume
// under the precision-recall surface (Paparrizos et al. 2022), and POLY, the residual of a smooth local fit (Li et al.
// 2007), to compare with. Written from their published definitions.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace pulse::judge {

/// First and last index of a labelled stretch.
using window_list = std::vector<std::pair<std::size_t, std::size_t>>;

struct nab_profile {
  double false_alarm = 0.11;
  double missed = 1;
};

inline constexpr nab_profile nab_standard{0.11, 1}, nab_low_fp{0.22, 1}, nab_low_fn{0.11, 2};

struct nab_sum {
  double raw = 0;
  std::size_t windows = 0;
  std::size_t found = 0;
  std::size_t false_alarms = 0;
  /// Points from a window's begin to its first detection, one per window found.
  std::vector<std::size_t> delays;
};

/// One file: points before the probation's end (15 %, at most 750) are not scored.
nab_sum nab_score(std::span<const bool> alarms, const window_list& labelled, nab_profile profile);

/// 0 for a detector that never speaks, 100 for a perfect one.
double nab_normalised(double raw, std::size_t windows, nab_profile profile);

/// Mean over buffer lengths 0 ... `buffer` (in 10 steps) of the area under precision and recall with soft edges.
double vus_pr(std::span<const double> scores, const window_list& labelled, std::size_t buffer);

/// Distance of each point's neighbourhood of `window` points from a polynomial fitted to `reach` points on both sides
/// without it. Looks ahead; a reference, no detector of ours.
std::vector<double> poly_residual(std::span<const double> x, std::size_t window, std::size_t reach, int degree);

} // namespace pulse::judge
