// What a model is made of; shared by fitting, scoring and the file format, seen by nobody else.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "models/detection/calibration.hpp"
#include "models/detection/categories.hpp"
#include "models/detection/ellipse.hpp"
#include "models/detection/grow.hpp"
#include "models/detection/marginal.hpp"
#include "models/detection/model.hpp"
#include "models/detection/neighbours.hpp"
#include "models/detection/packed.hpp"
#include "models/detection/range.hpp"
#include "models/detection/tree.hpp"

namespace pulse::detection {

struct forest {
  split_rule rule = split_rule::plain;
  /// Rows each tree was grown from.
  std::uint32_t psi = 1;
  /// What one unit of this forest's log2 score adds to log2_total.
  double scale = 1;
  /// average_path_length(psi); 0 for forests of one row.
  double c = 0;
  packed_trees trees;

  /// log2 of the score of Liu, Ting, Zhou (2008): -(mean path length) / c(psi); -1 for forests of one row.
  double log2_score(std::span<const float> row, bool has_missing) const {
    return c > 0 ? to_score(trees.path_length_sum(row, has_missing)) : -1;
  }

  double to_score(double path_lengths) const {
    return -path_lengths / static_cast<double>(trees.size()) / c;
  }
};

/// What a member that is no forest adds to log2_total: scale * min(value, ceiling). The ceiling is the value that 2 %
/// of training rows reach: among the most unusual rows distances and ranks say little about which are odd, and the
/// forests decide alone.
struct capped_term {
  double scale = 0;
  double ceiling = 0;

  double of(double value) const {
    return scale * std::min(value, ceiling);
  }

  /// Makes parts of `value - base` into parts of what that adds.
  double factor(double value, double base) const {
    const auto both = value - base;
    return std::abs(both) > 1e-12 ? scale * (std::min(value, ceiling) - std::min(base, ceiling)) / both : scale;
  }
};

/// Distance from the inner part of training.
struct inner_member {
  ellipse shape;
  capped_term term;
};

/// Inner parts a bundle measures from: the half that no minority of odd rows can bend, and three quarters, which know
/// more of what is usual.
inline constexpr double inner_shares[] = {0.5, 0.75};

/// The second opinion: distances to the inner half and to neighbours, without a ceiling, calibrated apart.
struct local_score {
  neighbours near;
  double ellipse_scale = 0;
  double near_scale = 0;
  calibration calibrated;

  bool empty() const {
    return near.empty();
  }
};

struct model_data {
  model_card card;
  std::vector<std::string> features;
  category_columns categories;
  /// These and what follows are of the widened columns.
  std::vector<column_range> ranges;
  /// What is below is taken for it: the training median of a one-sided column, else -infinity.
  std::vector<double> floors;
  std::vector<forest> forests;
  /// Of a bundle; empty in a plain forest.
  std::vector<column_tail> tails;
  std::vector<column_scale> scales;
  capped_term tails_term;
  /// One for each of inner_shares; empty where there are too many columns for them, or too few rows.
  std::vector<inner_member> inner;
  /// log2_total = offset + sum of scale * log2_score + all terms + range_scale * bounded_excess.
  double offset = 0;
  double range_scale = 0;
  calibration calibrated;
  local_score local;
  /// Of the smaller of both tails.
  calibration combined;
  std::string id;
};

inline constexpr std::string_view model_magic = "PULSEMDL";
inline constexpr std::uint16_t model_version = 5;
/// Without categories.
inline constexpr std::uint16_t model_version_of_numbers = 4;
/// Without floors; it is read as one whose columns have none.
inline constexpr std::uint16_t model_version_without_floors = 3;

/// A value as a model takes it; NaN stays NaN.
inline double floored(double x, double floor) {
  return x < floor ? floor : x;
}

/// A row as the trees see it: float32, infinities as the largest numbers.
float to_feature(double x);

/// What the risk is calibrated on: -log2 of the smaller of both tails, the local one with a handicap.
double joint_evidence(double tail, double local_tail);

/// First 16 bytes of the file's SHA-256, in hexadecimal.
std::string file_id(std::string_view bytes);

/// The whole model file; and back. Errors: `corrupt`.
std::string encode_model(const model_data& m);
result<model_data> decode_model(std::string_view bytes);

} // namespace pulse::detection
