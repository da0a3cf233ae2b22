// The detector of unusual rows: fitted on rows of numbers without labels, immutable, saved as one flat file, asked
// for a score, a calibrated risk and the columns that made it. Safe to use from many threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace pulse::detection {

/// Row-major; NaN is a missing value.
struct matrix_view {
  std::span<const double> values;
  std::size_t rows = 0;
  std::size_t columns = 0;
};

/// A column of words: what stands in the matrix are places in `levels`; NaN is missing.
struct category_levels {
  std::size_t column = 0;
  std::vector<std::string> levels;
};

/// More are no categories but names.
inline constexpr std::size_t category_levels_max = 4'096;

enum class model_kind : std::uint8_t {
  /// The plain isolation forest, score for score as scikit-learn defines it.
  forest = 0,
  /// Four unlike forests, the columns' tails, the distance from the inner half and the distance outside the training
  /// range; beside them the local score.
  bundle = 1,
};

struct fit_options {
  model_kind kind = model_kind::bundle;
  /// Trees of each forest, 1 to 10,000.
  std::uint32_t n_estimators = 100;
  /// Rows a tree is grown from, 2 to 65,536; fewer where there are fewer.
  std::uint32_t max_samples = 256;
  std::uint64_t random_state = 0;
  /// How far back the history reaches that the rows' counts over time were made from, for the card; 0 is not said.
  std::int64_t history_ms = 0;
  /// One per column, or none: true where less than the median of training is harmless, however little it is. Such
  /// values are taken for the median, in training and ever after.
  std::vector<bool> one_sided = {};
  /// Columns of words, ascending by column.
  std::vector<category_levels> categories = {};
  /// Runs body(0) ... body(count - 1) in any order, on any threads; empty runs them here. Never changes a byte.
  std::function<void(std::size_t count, const std::function<void(std::size_t)>& body)> for_each = {};
  /// Told after each tree, from whatever thread grew it.
  std::function<void()> tree_done = {};
};

struct scored {
  /// In (0, 1), higher is more unusual: 2^log2_total.
  double raw = 0;
  /// 0 to 100: the percentage of training rows (as they look to a model that has not seen them) that are less unusual.
  /// 99 means "one in a hundred". Of a bundle it looks at the raw score and at the local score.
  double risk = 0;
  /// Share of rows at least as unusual, in (0, 1]: 1 - risk / 100 without loss at the small end.
  double tail = 1;
  /// Below 0; model::base() plus all contributions.
  double log2_total = 0;
  /// Distance to the inner half of training and to neighbours in small samples; 0 for a plain forest.
  double local = 0;
  /// Share of rows at least as unusual by the local score alone, in (0, 1].
  double local_tail = 1;
  /// True when the risk comes from the local score: then explain_local() has its reasons.
  bool local_decides = false;
};

/// What one column did to log2_total.
struct contribution {
  std::size_t feature = 0;
  /// By the splits on the row's ways through the trees, the column's tail and its part in the distance from the inner
  /// half.
  double model = 0;
  /// By the distance outside the training range.
  double range = 0;
  /// Of a category the level's place, as for `typical`.
  double value = 0;
  /// Median of training; of a category the level that most rows have.
  double typical = 0;

  double total() const {
    return model + range;
  }
};

/// What a model was made from.
struct model_card {
  model_kind kind = model_kind::bundle;
  std::uint32_t n_estimators = 0;
  std::uint32_t max_samples = 0;
  std::uint64_t random_state = 0;
  std::uint64_t rows = 0;
  std::int64_t history_ms = 0;
};

struct model_data;

class model {
public:
  /// Errors: `corrupt` with the reason.
  static result<model> load(std::string_view bytes);

  explicit model(std::shared_ptr<const model_data> data);

  /// The same model gives the same bytes.
  std::string save() const;

  /// What it takes in memory, about: for budgets of hot models.
  std::size_t memory_bytes() const;

  /// 32 hexadecimal digits: the first 16 bytes of the file's SHA-256.
  const std::string& id() const;

  const std::vector<std::string>& features() const;

  /// Of a category the words that its numbers are places in; null for a column of numbers.
  const std::vector<std::string>* levels(std::size_t feature) const;

  const model_card& card() const;

  /// `row` has one number per feature, in order; NaN is missing, infinities are taken as very far. Of a category it is
  /// the level's place in levels(), or any other number for a word that is not among them, which is rarer than all.
  scored score(std::span<const double> row) const;

  /// score() of every row, to the last bit; several times as fast for many rows.
  std::vector<scored> score_all(matrix_view rows) const;

  /// One per feature, the largest total first (then by column). base() plus all totals is log2_total.
  std::vector<contribution> explain(std::span<const double> row) const;

  /// One per feature, `model` its part of the local score, the largest first; they add up to scored::local. Empty for a
  /// plain forest.
  std::vector<contribution> explain_local(std::span<const double> row) const;

  /// log2_total of a row of which nothing is known.
  double base() const;

  /// Median of a feature in training; 0 for one that was never known.
  double typical(std::size_t feature) const;

  /// The raw score that a share `p` of training rows reaches.
  double raw_limit(double p) const;

private:
  std::shared_ptr<const model_data> data_;
};

/// Errors: `invalid` for no rows, no columns, names that don't match, options outside their limits. Time grows with
/// n_estimators * max_samples * log(max_samples) * columns, plus scoring of up to 10,000 rows for the calibration.
result<model> fit(matrix_view rows, std::vector<std::string> names, const fit_options& options = {});

} // namespace pulse::detection
