// What a model is made of; shared by fitting, scoring and the file format, seen by nobody else.
#pragma once

#include <string>
#include <vector>

#include "models/detection/calibration.hpp"
#include "models/detection/grow.hpp"
#include "models/detection/model.hpp"
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
  /// path_length_table(psi).
  std::vector<double> c;
  std::vector<tree> trees;
  /// The same trees once more, for speed; empty until pack() was called.
  packed_trees packed;

  void pack() {
    packed = packed_trees(trees, c);
  }

  /// log2 of the score of Liu, Ting, Zhou (2008): -(mean path length) / c(psi); -1 for forests of one row.
  double log2_score(std::span<const float> row, bool has_missing) const {
    if (!(c.back() > 0))
      return -1;
    double sum = 0;
    if (packed.usable() && !has_missing)
      sum = packed.path_length_sum(row);
    else
      for (const auto& t : trees)
        sum += path_length(t, row, c, has_missing);
    return -sum / static_cast<double>(trees.size()) / c.back();
  }
};

struct model_data {
  model_card card;
  std::vector<std::string> features;
  std::vector<column_range> ranges;
  std::vector<forest> forests;
  /// log2_total = offset + sum of scale * log2_score + range_scale * bounded_excess.
  double offset = 0;
  double range_scale = 0;
  calibration calibrated;
  std::string id;
};

/// A row as the trees see it: float32, infinities as the largest numbers.
float to_feature(double x);

/// First 16 bytes of the file's SHA-256, in hexadecimal.
std::string file_id(std::string_view bytes);

/// The whole model file; and back. Errors: `corrupt`.
std::string encode_model(const model_data& m);
result<model_data> decode_model(std::string_view bytes);

} // namespace pulse::detection
