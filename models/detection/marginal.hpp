// How far out in its column's own distribution a value lies, in bits: what a forest's small samples blur. Summed over
// columns it is the tail score of Li et al., "ECOD" (2022), two-sided and with an end: what is rarer than one in 128 is
// all the same here, because distances say more than ranks do there (see range.hpp).
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "models/binary/bytes.hpp"

namespace pulse::detection {

struct column_tail {
  /// Half a bit a step, up to 7 bits.
  static constexpr std::size_t steps = 14;

  /// A value above high[k], or below low[k], has at least (k + 1) / 2 bits: a share of at most 2^-bits lies as far out
  /// on either side. Infinite where there were too few rows to say so.
  std::array<float, steps> low;
  std::array<float, steps> high;
  /// Mean over training: what a missing value counts as.
  double mean = 0;

  column_tail();

  /// 0 for the middle; `mean` for NaN.
  double bits(float x) const;
};

/// `sorted` has no NaN; a column without values has no tails.
column_tail fit_column_tail(std::span<const float> sorted);

void write_column_tail(binary::writer& out, const column_tail& t);
std::optional<column_tail> read_column_tail(binary::reader& in);

} // namespace pulse::detection
