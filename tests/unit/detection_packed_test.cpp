// Trees as a model keeps them against the trees they were made from, walked by the definition.
#include <cfloat>
#include <cmath>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/model_data.hpp"

using namespace pulse;
using namespace pulse::detection;

namespace {

/// Depth plus c(n) at the leaf; a missing value goes both ways, weighted by training rows.
double length_of(const tree& t, std::size_t i, std::span<const float> row, std::span<const double> c) {
  const auto& at = t[i];
  if (at.feature == leaf)
    return at.depth + c[at.n];
  const auto x = row[at.feature];
  if (!std::isnan(x))
    return length_of(t, x <= at.threshold ? i + 1 : at.right, row, c);
  const auto left = static_cast<double>(t[i + 1].n) / at.n;
  return left * length_of(t, i + 1, row, c) + (1 - left) * length_of(t, at.right, row, c);
}

double value_of(const tree& t, std::size_t i, std::span<const double> c) {
  return t[i].feature == leaf ? t[i].depth + c[t[i].n] : static_cast<double>(t[i].value);
}

/// Each split's share of what its children's values differ from its own by.
void reasons_of(const tree& t, std::size_t i, std::span<const float> row, std::span<const double> c, double weight,
                std::span<double> out) {
  const auto& at = t[i];
  if (at.feature == leaf)
    return;
  const auto x = row[at.feature];
  auto left = x <= at.threshold ? 1.0 : 0.0;
  if (std::isnan(x))
    left = static_cast<double>(t[i + 1].n) / at.n;
  out[at.feature] +=
      weight * (left * value_of(t, i + 1, c) + (1 - left) * value_of(t, at.right, c) - value_of(t, i, c));
  if (left > 0)
    reasons_of(t, i + 1, row, c, weight * left, out);
  if (left < 1)
    reasons_of(t, at.right, row, c, weight * (1 - left), out);
}

bool same(const tree& a, const tree& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const node& x, const node& y) {
    return x.threshold == y.threshold && x.value == y.value && x.right == y.right && x.n == y.n &&
           x.feature == y.feature && x.depth == y.depth;
  });
}

constexpr std::size_t columns = 5;

/// Some columns with few values, some values missing.
float_matrix some_rows(std::size_t rows, double missing, std::uint64_t seed) {
  random_stream random(seed, 0);
  float_matrix out{{}, rows, columns};
  for (std::size_t i = 0; i < rows * columns; ++i) {
    const auto x = random.uniform();
    out.values.push_back(random.uniform() < missing ? NAN
                                                    : static_cast<float>(i % columns < 2 ? std::floor(4 * x) : x));
  }
  return out;
}

std::vector<tree> some_trees(const float_matrix& data, std::size_t count, std::uint32_t psi, split_rule rule,
                             std::span<const double> c) {
  std::vector<tree> out;
  for (std::uint64_t k = 0; k < count; ++k) {
    random_stream random(psi, k);
    out.push_back(grow_tree(data, category_columns(data.columns).of_tree(0), draw_sample(data.rows, psi, random), rule,
                            random, c));
  }
  return out;
}

/// A split at each node down to `depth` levels below, a row a leaf; column 0, thresholds in order.
void add_complete(tree& t, std::uint16_t depth, std::uint16_t depth_max, float low, float high) {
  const auto here = t.size();
  t.push_back({0, 0, 0, 1, leaf, depth});
  if (depth == depth_max)
    return;
  const auto middle = (low + high) / 2;
  t[here].feature = 0;
  t[here].threshold = middle;
  const auto below = static_cast<std::uint16_t>(depth + 1);
  add_complete(t, below, depth_max, low, middle);
  t[here].right = static_cast<std::uint32_t>(t.size());
  add_complete(t, below, depth_max, middle, high);
}

} // namespace

TEST_CASE("kept trees say what the trees they were made from say, to the last bit", "[detection][f:5.1]") {
  for (const std::uint32_t psi : {1u, 2u, 3u, 64u, 256u, 1500u})
    for (auto rule : {split_rule::plain, split_rule::pooled_gain, split_rule::full_gain, split_rule::kurtosis}) {
      const auto data = some_rows(1500, 0.05, psi);
      const auto c = path_length_table(psi);
      // More and fewer than are walked at once, and a rest.
      for (const std::size_t count : {1, 8, 11}) {
        const auto trees = some_trees(data, count, psi, rule, c);
        const packed_trees kept(trees, c);
        REQUIRE(kept.size() == count);
        double root = 0;
        for (std::size_t t = 0; t < count; ++t) {
          CHECK(same(kept.unpacked(t), trees[t]));
          root += value_of(trees[t], 0, c);
        }
        CHECK(kept.root_sum() == root);
        for (std::size_t i = 0; i < 40; ++i) {
          const auto row = data.row(i);
          const auto missing = std::any_of(row.begin(), row.end(), [](float x) { return std::isnan(x); });
          double sum = 0;
          for (const auto& t : trees)
            sum += length_of(t, 0, row, c);
          CHECK(kept.path_length_sum(row, missing) == sum);
          CHECK(kept.path_length_sum(row, true) == sum);
        }
      }
    }
}

TEST_CASE("many rows in one kept tree fall as deep as each alone", "[detection][f:5.1]") {
  // Trees of less depth than is walked by vectors, of more, and of as much; rows few and many, and a rest.
  for (const std::uint32_t psi : {2u, 20u, 32u, 256u, 1500u}) {
    const auto c = path_length_table(psi);
    for (const auto missing : {0.0, 0.1}) {
      const auto data = some_rows(1500, missing, psi);
      const auto trees = some_trees(data, 3, psi, split_rule::plain, c);
      const packed_trees kept(trees, c);
      for (const std::size_t n : {1, 8, 21, 63, 64, 65, 79, 80, 300}) {
        std::vector<double> out(n, 0.5);
        const row_block rows{std::span(data.values).first(n * columns), columns};
        kept.add_path_lengths(1, rows, out);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < n; ++i)
          wrong += out[i] != 0.5 + length_of(trees[1], 0, data.row(i), c) ? 1 : 0;
        CHECK(wrong == 0);
      }
    }
  }
}

TEST_CASE("rows that stand on a threshold, and the largest numbers, go the same way many at once",
          "[detection][f:5.1]") {
  tree t;
  add_complete(t, 0, 7, -4, 4);
  const auto c = path_length_table(4'000);
  std::vector<float> values;
  for (int i = -64; i <= 64; ++i)
    values.push_back(static_cast<float>(i) / 16);
  values.insert(values.end(), {FLT_MAX, -FLT_MAX, -0.0f, FLT_MIN, -FLT_MIN});
  // All leaves are as deep as each other: what tells them apart here is how many rows they had.
  for (std::size_t i = 0; i < t.size(); ++i)
    if (t[i].feature == leaf)
      t[i].n = static_cast<std::uint32_t>(1 + i % 31);
  finish_tree(t, c);
  const packed_trees kept({&t, 1}, c);
  std::vector<double> out(values.size());
  kept.add_path_lengths(0, row_block(values, 1), out);
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(out[i] == length_of(t, 0, std::span(&values[i], 1), c));
  CHECK(std::set<double>(out.begin(), out.end()).size() > 20);
}

TEST_CASE("reasons of kept trees are those of the trees they were made from", "[detection][f:5.5]") {
  const auto data = some_rows(600, 0.1, 4);
  const auto c = path_length_table(256);
  const auto trees = some_trees(data, 11, 256, split_rule::kurtosis, c);
  const packed_trees kept(trees, c);
  int missing_rows = 0;
  for (std::size_t i = 0; i < 60; ++i) {
    const auto row = data.row(i);
    const auto missing = std::any_of(row.begin(), row.end(), [](float x) { return std::isnan(x); });
    std::vector<double> ours(columns), theirs(columns);
    kept.attribute(row, missing, -0.25, ours);
    double lengths = 0;
    for (const auto& t : trees) {
      reasons_of(t, 0, row, c, -0.25, theirs);
      lengths += length_of(t, 0, row, c);
    }
    double sum = 0;
    for (std::size_t j = 0; j < columns; ++j) {
      CHECK(std::abs(ours[j] - theirs[j]) < 1e-12);
      sum += ours[j];
    }
    CHECK(std::abs(sum + 0.25 * (lengths - kept.root_sum())) < 1e-12);
    missing_rows += missing;
  }
  CHECK((missing_rows > 5 && missing_rows < 55));
}

TEST_CASE("the widest tree there may be is kept whole", "[detection][f:5.2]") {
  tree t;
  add_complete(t, 0, tree_depth_max, 0, 1);
  REQUIRE(t.size() == 131'071);
  const auto c = path_length_table(65'536);
  finish_tree(t, c);
  const packed_trees kept({&t, 1}, c);
  CHECK(same(kept.unpacked(0), t));
  for (const float x : {0.0f, 0.3f, 0.999f, 1.0f})
    CHECK(kept.path_length_sum(std::span(&x, 1), false) == 16);
}

TEST_CASE("a file's tree that is deeper than any that is grown is refused", "[detection][negative][f:5.2]") {
  const auto c = path_length_table(256);
  const auto chain = [&](int splits) {
    binary::writer out;
    for (int i = 0; i < splits; ++i)
      out.put_varint(1), out.put(0.5f);
    for (int i = 0; i <= splits; ++i)
      out.put_varint(0), out.put_varint(1);
    binary::reader in(out.bytes());
    return read_tree(in, 1, 256, c);
  };
  CHECK(chain(tree_depth_max).has_value());
  CHECK_FALSE(chain(tree_depth_max + 1).has_value());
}
