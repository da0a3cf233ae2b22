// Has what comes in changed since a model was fitted? Compares a window of rows with a reference, column by column and
// by the model's score, and names what moved. A column that differs by the day of the week is compared with the same
// part of the week. Plain data in, findings out; who keeps the windows, and when they are looked at, is not decided
// here.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace pulse::detection {

/// Parts of a week that rows are told apart by: workday or weekend, each by six hours of the day.
inline constexpr std::size_t week_parts = 8;

/// Of the time at the store: add its offset from UTC first.
std::size_t week_part(time_ms local);

/// Twentieths of the reference in a column (fewer where many rows share a value), and the last one for missing.
inline constexpr std::size_t drift_bins = 21;

/// Counts of one column's values by bin and part of the week.
using drift_counts = std::array<std::array<std::uint32_t, drift_bins>, week_parts>;

class drift_reference {
public:
  /// `values` row-major with one column a name (the score may be one of them); NaN is missing. `part` of each row, all
  /// 0 where there is no season. At least one row.
  drift_reference(std::span<const double> values, std::vector<std::string> names, std::span<const std::uint8_t> part);

  std::size_t columns() const {
    return names_.size();
  }

private:
  friend class drift_window;

  std::size_t bin_of(std::size_t column, double x) const;

  std::vector<std::string> names_;
  /// Upper edges of the bins, ascending.
  std::vector<std::vector<double>> edges_;
  std::vector<drift_counts> counts_;
  std::array<std::uint64_t, week_parts> rows_{};
};

struct drift_finding {
  std::string name;
  /// Population stability index, and the most that the shares at or below a value differ by.
  double psi = 0;
  double ks = 0;
  /// Limit of the index that chance passes once in 1,000: (1/n + 1/m) chi2(0.999; bins - 1).
  double psi_limit = 0;
  /// Probability that chance alone does so much, of both tests together (of Kolmogorov's alone below 400 rows).
  double p = 1;
  /// By Holm's correction over all columns.
  bool drifted = false;
};

class drift_window {
public:
  explicit drift_window(const drift_reference& reference);

  /// One number per column of the reference.
  void add(std::span<const double> row, std::size_t part);

  std::uint64_t rows() const {
    return rows_;
  }

  /// Every column, the least probable first. Drifted are those that chance would bring once in 1,000 windows (all
  /// columns together). Fewer than 50 rows say nothing.
  std::vector<drift_finding> look() const;

  static constexpr std::uint64_t rows_min = 50;
  static constexpr double alpha = 0.001;

private:
  drift_finding compare(std::size_t column) const;

  const drift_reference* reference_;
  std::vector<std::array<std::uint32_t, drift_bins>> counts_;
  std::array<std::uint64_t, week_parts> part_rows_{};
  std::uint64_t rows_ = 0;
};

} // namespace pulse::detection
