// The fraud model: boosted trees learnt from labels (chargebacks, refunds, reviews), as a flat copy that needs no
// library to answer and gives the very margins that XGBoost gives. Immutable, safe to use from many threads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pulse::fraud {

struct node {
  /// Left when x < threshold; of a leaf its share of the margin.
  float threshold = 0;
  /// Mean margin of the training rows that came here, by their weight in the loss.
  float value = 0;
  /// 0 for a leaf; the right child stands behind the left one.
  std::uint32_t left = 0;
  std::uint16_t feature = 0;
  bool missing_left = false;
};

struct contribution {
  std::size_t feature = 0;
  /// In log-odds.
  double amount = 0;
};

class model {
public:
  /// Errors: `corrupt` with the reason.
  static result<model> load(std::string_view bytes);

  model(std::vector<std::string> features, float base, std::vector<std::vector<node>> trees);

  std::string save() const;

  const std::vector<std::string>& features() const {
    return features_;
  }

  /// What it takes in memory, about.
  std::size_t memory_bytes() const {
    return nodes_.capacity() * sizeof(node) + starts_.capacity() * sizeof(std::uint32_t);
  }

  /// Log-odds; NaN is missing and goes the way that the split learnt for it.
  float margin(std::span<const float> row) const;

  /// 1 / (1 + exp(-margin)).
  double probability(std::span<const float> row) const;

  /// Margin of a row of which nothing is known but that it came.
  double base() const;

  /// Along the row's ways through the trees, one per feature, the largest first; base() plus all of them is the margin.
  std::vector<contribution> explain(std::span<const float> row) const;

private:
  std::vector<std::string> features_;
  float base_ = 0;
  /// All trees, each from its root in starts_ on.
  std::vector<node> nodes_;
  std::vector<std::uint32_t> starts_;
};

} // namespace pulse::fraud
