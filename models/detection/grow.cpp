// See grow.hpp.
#include "models/detection/grow.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <optional>

namespace pulse::detection {

namespace {

/// Share of splits of the guided rules whose threshold is by chance all the same: trees that only follow the gain are
/// too much alike.
constexpr double pooled_chance = 0.3;
constexpr double full_chance = 0.5;

struct split {
  std::uint16_t column = 0;
  float threshold = 0;
};

/// Largest float that is not above t: x <= t and x <= floor_to_float(t) are the same for every float x.
float floor_to_float(double t) {
  const auto f = static_cast<float>(t);
  return f > t ? std::nextafter(f, -INFINITY) : f;
}

class grower {
public:
  grower(const float_matrix& data, std::span<const std::uint16_t> columns, std::span<const std::uint32_t> sample,
         split_rule rule, random_stream& random) :
    rows_(sample.size()), columns_(columns.size()), rule_(rule), random_(random), order_(rows_), weight_(columns_) {
    values_.resize(rows_ * columns_);
    auto* out = values_.data();
    for (auto r : sample)
      for (const auto row = data.row(r); auto j : columns)
        *out++ = row[j];
    bool missing = false;
    for (auto x : values_)
      missing |= x != x;
    has_missing_ = missing;
    std::iota(order_.begin(), order_.end(), 0u);
    if (rule_ == split_rule::full_gain)
      standardise();
  }

  tree grow(int depth_max) {
    grow_from(0, rows_, 0, depth_max);
    return std::move(tree_);
  }

private:
  float at(std::uint32_t row, std::size_t column) const {
    return values_[row * columns_ + column];
  }

  /// Centred to mean 0 and deviation 1 in the sample, missing as 0: what full_gain sums over columns.
  void standardise() {
    standard_.assign(rows_ * columns_, 0);
    for (std::size_t j = 0; j < columns_; ++j) {
      double sum = 0, squares = 0, n = 0;
      for (std::uint32_t i = 0; i < rows_; ++i)
        if (const double x = at(i, j); !std::isnan(x))
          sum += x, squares += x * x, ++n;
      const auto mean = n > 0 ? sum / n : 0;
      const auto deviation = n > 0 ? std::sqrt(std::max(0.0, squares / n - mean * mean)) : 0;
      if (!(deviation > 0) || !std::isfinite(deviation))
        continue;
      for (std::uint32_t i = 0; i < rows_; ++i)
        if (const double x = at(i, j); !std::isnan(x))
          standard_[i * columns_ + j] = static_cast<float>((x - mean) / deviation);
    }
  }

  void grow_from(std::size_t begin, std::size_t end, int depth, int depth_max) {
    const auto here = tree_.size();
    tree_.push_back({0, 0, 0, static_cast<std::uint32_t>(end - begin), leaf, static_cast<std::uint16_t>(depth)});
    if (end - begin < 2 || depth >= depth_max)
      return;
    const auto cut = choose(begin, end);
    if (!cut)
      return;
    const auto middle = partition(begin, end, *cut);
    if (middle == begin || middle == end)
      return;
    tree_[here].feature = cut->column;
    tree_[here].threshold = cut->threshold;
    grow_from(begin, middle, depth + 1, depth_max);
    tree_[here].right = static_cast<std::uint32_t>(tree_.size());
    grow_from(middle, end, depth + 1, depth_max);
  }

  /// Of the rows whose value is known.
  double share_left(std::size_t begin, std::size_t end, split cut) const {
    std::size_t known = 0, left = 0;
    for (auto i = begin; i < end; ++i)
      if (const auto x = at(order_[i], cut.column); !std::isnan(x))
        ++known, left += x <= cut.threshold;
    return static_cast<double>(left) / static_cast<double>(known);
  }

  std::size_t partition(std::size_t begin, std::size_t end, split cut) {
    const auto share = has_missing_ ? share_left(begin, end, cut) : 1;
    // Stable, and without a branch: each row is written to both sides, and one of them goes on.
    right_.resize(rows_);
    auto left = begin, right = std::size_t{0};
    for (auto i = begin; i < end; ++i) {
      const auto row = order_[i];
      const auto x = at(row, cut.column);
      const bool goes_left = std::isnan(x) ? random_.uniform() < share : x <= cut.threshold;
      order_[left] = row;
      right_[right] = row;
      left += goes_left;
      right += !goes_left;
    }
    std::copy_n(right_.begin(), right, order_.begin() + static_cast<std::ptrdiff_t>(left));
    return left;
  }

  std::optional<split> choose(std::size_t begin, std::size_t end) {
    const auto heavy = rule_ == split_rule::kurtosis || rule_ == split_rule::pooled_gain;
    const auto column = heavy ? column_by_kurtosis(begin, end) : column_by_chance(begin, end);
    if (!column)
      return std::nullopt;
    if (rule_ == split_rule::pooled_gain && random_.uniform() >= pooled_chance)
      return by_pooled_gain(begin, end, *column);
    if (rule_ == split_rule::full_gain && random_.uniform() >= full_chance)
      return by_full_gain(begin, end, *column);
    const auto [low, high] = limits(begin, end, *column);
    const auto t = floor_to_float(low + random_.uniform() * (static_cast<double>(high) - low));
    return split{*column, t >= high ? low : std::max(t, low)};
  }

  std::pair<float, float> limits(std::size_t begin, std::size_t end, std::size_t column) const {
    float low = INFINITY, high = -INFINITY;
    for (auto i = begin; i < end; ++i) {
      // A NaN loses both comparisons.
      const auto x = at(order_[i], column);
      low = x < low ? x : low;
      high = x > high ? x : high;
    }
    return {low, high};
  }

  /// Uniform among the columns that vary here.
  std::optional<std::uint16_t> column_by_chance(std::size_t begin, std::size_t end) {
    candidates_.resize(columns_);
    std::iota(candidates_.begin(), candidates_.end(), std::uint16_t{0});
    while (!candidates_.empty()) {
      const auto k = random_.below(static_cast<std::uint32_t>(candidates_.size()));
      const auto [low, high] = limits(begin, end, candidates_[k]);
      if (low < high)
        return candidates_[k];
      candidates_[k] = candidates_.back();
      candidates_.pop_back();
    }
    return std::nullopt;
  }

  std::optional<std::uint16_t> column_by_kurtosis(std::size_t begin, std::size_t end) {
    double total = 0;
    for (std::size_t j = 0; j < columns_; ++j)
      total += weight_[j] = kurtosis_of(begin, end, j);
    if (!(total > 0))
      return std::nullopt;
    auto ball = random_.uniform() * total;
    std::optional<std::uint16_t> out;
    for (std::size_t j = 0; j < columns_; ++j) {
      if (weight_[j] <= 0)
        continue;
      out = static_cast<std::uint16_t>(j);
      if (ball < weight_[j])
        break;
      ball -= weight_[j];
    }
    return out;
  }

  /// Fourth standardised moment, at least 1; 0 for a column that does not vary. Two values have no tail, though the
  /// moment is about 1 / share of the rarer one: a flag that one row in thirty carries would be cut first in nearly
  /// every tree. Theirs is 1, that of a fair coin.
  double kurtosis_of(std::size_t begin, std::size_t end, std::size_t column) const {
    const auto [low, high] = limits(begin, end, column);
    if (!(low < high))
      return 0;
    // Scaled to [0, 1] first: fourth powers of large numbers overflow.
    const auto width = static_cast<double>(high) - low;
    double n = 0, sum = 0;
    auto two_values = true;
    for (auto i = begin; i < end; ++i)
      if (const auto x = at(order_[i], column); !std::isnan(x)) {
        sum += (static_cast<double>(x) - low) / width, ++n;
        two_values = two_values && (x == low || x == high);
      }
    if (two_values)
      return 1;
    const auto mean = sum / n;
    double m2 = 0, m4 = 0;
    for (auto i = begin; i < end; ++i)
      if (const auto x = at(order_[i], column); !std::isnan(x)) {
        const auto d = (static_cast<double>(x) - low) / width - mean;
        m2 += d * d;
        m4 += d * d * d * d;
      }
    return m2 > 0 ? std::max(1.0, n * m4 / (m2 * m2)) : 1;
  }

  /// Rows with a value in the column, ascending by it.
  void sort_known(std::size_t begin, std::size_t end, std::size_t column) {
    sorted_.clear();
    for (auto i = begin; i < end; ++i)
      if (!std::isnan(at(order_[i], column)))
        sorted_.push_back({at(order_[i], column), order_[i]});
    std::sort(sorted_.begin(), sorted_.end());
  }

  static float between(float a, float b) {
    const auto middle = floor_to_float((static_cast<double>(a) + b) / 2);
    return middle >= b ? a : std::max(a, middle);
  }

  std::optional<split> by_pooled_gain(std::size_t begin, std::size_t end, std::uint16_t column) {
    sort_known(begin, end, column);
    const auto n = sorted_.size();
    const double low = sorted_.front().first;
    const auto width = static_cast<double>(sorted_.back().first) - low;
    double sum = 0, squares = 0;
    for (const auto& [x, row] : sorted_) {
      const auto u = (x - low) / width;
      sum += u, squares += u * u;
    }
    double best = INFINITY, left_sum = 0, left_squares = 0;
    std::optional<split> out;
    for (std::size_t i = 0; i + 1 < n; ++i) {
      const auto u = (sorted_[i].first - low) / width;
      left_sum += u, left_squares += u * u;
      if (sorted_[i].first == sorted_[i + 1].first)
        continue;
      const auto a = static_cast<double>(i + 1), b = static_cast<double>(n - i - 1);
      const auto rest_sum = sum - left_sum, rest_squares = squares - left_squares;
      // n_left * sd_left + n_right * sd_right
      const auto pooled = std::sqrt(std::max(0.0, a * left_squares - left_sum * left_sum)) +
                          std::sqrt(std::max(0.0, b * rest_squares - rest_sum * rest_sum));
      if (pooled < best) {
        best = pooled;
        out = split{column, between(sorted_[i].first, sorted_[i + 1].first)};
      }
    }
    return out;
  }

  std::optional<split> by_full_gain(std::size_t begin, std::size_t end, std::uint16_t column) {
    sort_known(begin, end, column);
    const auto n = sorted_.size();
    total_.assign(columns_, 0);
    left_.assign(columns_, 0);
    for (const auto& [x, row] : sorted_)
      for (std::size_t j = 0; j < columns_; ++j)
        total_[j] += standard_[row * columns_ + j];
    double best = -INFINITY;
    std::optional<split> out;
    for (std::size_t i = 0; i + 1 < n; ++i) {
      const auto* z = &standard_[sorted_[i].second * columns_];
      for (std::size_t j = 0; j < columns_; ++j)
        left_[j] += z[j];
      if (sorted_[i].first == sorted_[i + 1].first)
        continue;
      // The sum of squares within both sides is smallest where this, the part between them, is largest.
      const auto a = static_cast<double>(i + 1), b = static_cast<double>(n - i - 1);
      double left_part = 0, right_part = 0;
      for (std::size_t j = 0; j < columns_; ++j) {
        const auto rest = total_[j] - left_[j];
        left_part += left_[j] * left_[j];
        right_part += rest * rest;
      }
      if (const auto gain = left_part / a + right_part / b; gain > best) {
        best = gain;
        out = split{column, between(sorted_[i].first, sorted_[i + 1].first)};
      }
    }
    return out;
  }

  std::size_t rows_;
  std::size_t columns_;
  split_rule rule_;
  random_stream& random_;
  std::vector<std::uint32_t> order_;
  std::vector<std::uint32_t> right_;
  std::vector<double> weight_;
  std::vector<float> values_;
  bool has_missing_ = false;
  std::vector<float> standard_;
  std::vector<double> total_;
  std::vector<double> left_;
  std::vector<std::uint16_t> candidates_;
  std::vector<std::pair<float, std::uint32_t>> sorted_;
  tree tree_;
};

} // namespace

tree grow_tree(const float_matrix& data, std::span<const std::uint16_t> columns, std::span<const std::uint32_t> sample,
               split_rule rule, random_stream& random, std::span<const double> c) {
  const auto depth_max = static_cast<int>(std::bit_width(sample.size() - 1));
  auto out = grower(data, columns, sample, rule, random).grow(depth_max);
  out.shrink_to_fit();
  for (auto& n : out)
    n.feature = n.feature == leaf ? leaf : columns[n.feature];
  finish_tree(out, c);
  return out;
}

} // namespace pulse::detection
