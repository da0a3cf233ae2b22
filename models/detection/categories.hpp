// Columns whose values are words: a country, a shop's category. A split of them parts their levels in two sets; the
// trees themselves only know thresholds. So each such column stands for several columns of numbers: how rare its level
// is, in bits, which the terms beside the forests look at too, and a few random orders of the levels. A tree has one of
// these for each column of words: a threshold in a random order is a random subset, and the trees have different ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/binary/bytes.hpp"
#include "models/detection/model.hpp"

namespace pulse::detection {

/// One of them as it was fitted.
struct category {
  std::size_t column = 0;
  std::vector<std::string> levels;
  /// Training rows of each level.
  std::vector<std::uint64_t> rows;

  /// Nothing for a number that is no level's place.
  std::optional<std::size_t> place_of(double x) const {
    return x >= 0 && x < static_cast<double>(levels.size()) && x == std::floor(x)
               ? std::optional(static_cast<std::size_t>(x))
               : std::nullopt;
  }
};

class category_columns {
public:
  /// Random orders beside the rareness.
  static constexpr std::size_t orders = 3;

  /// Of a model without such columns: widen copies.
  explicit category_columns(std::size_t features = 0) : features_(features) {
  }

  category_columns(std::size_t features, std::vector<category> of, std::uint64_t random_state);

  /// Of training rows; a place that is none in its levels counts for none.
  static category_columns count(matrix_view rows, const std::vector<category_levels>& given,
                                std::uint64_t random_state);

  bool empty() const {
    return of_.empty();
  }

  /// Numbers in a widened row: one a feature, then the orders.
  std::size_t width() const {
    return features_ + orders * of_.size();
  }

  /// `row` has one number a feature: of a category its level's place, anything else that is not NaN a level that
  /// training did not have. Such a level is rarer than every other, and comes nowhere in the orders.
  void widen(std::span<const double> row, std::span<double> out) const;

  /// Every row of the matrix, in `into`; the matrix itself where there are no such columns.
  matrix_view widened(matrix_view rows, std::vector<double>& into) const;

  /// The widened matrix with all orders missing, likewise: they say nothing to the terms beside the forests.
  matrix_view without_orders(matrix_view wide, std::vector<double>& into) const;

  /// A column of an order is looked at by forests alone.
  bool is_order(std::size_t column) const {
    return column >= features_;
  }

  /// The feature that a widened column belongs to.
  std::size_t owner(std::size_t column) const {
    return is_order(column) ? of_[(column - features_) / orders].column : column;
  }

  /// What tree number t is grown on: every column of numbers, and of each category the rareness or one of the orders.
  std::vector<std::uint16_t> of_tree(std::size_t t) const;

  /// Null for a column of numbers.
  const category* find(std::size_t column) const;

  /// The level that most training rows have.
  double typical(const category& c) const;

  std::size_t memory_bytes() const;

  void write(binary::writer& out) const;
  /// Nothing when the bytes are none.
  static std::optional<category_columns> read(binary::reader& in, std::size_t features, std::uint64_t random_state);

private:
  std::size_t features_;
  std::vector<category> of_;
  /// Of each category by level: bits, then its place in each order.
  std::vector<std::vector<float>> bits_;
  std::vector<std::vector<float>> ranks_;
  /// A level that training did not have.
  std::vector<float> unseen_;
};

} // namespace pulse::detection
