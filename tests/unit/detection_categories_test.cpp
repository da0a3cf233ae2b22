// Columns of words in the detector: what is odd by its word, or by the word beside the numbers.
#include <algorithm>
#include <array>
#include <cmath>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/model.hpp"
#include "models/detection/random.hpp"

using namespace pulse;
using namespace pulse::detection;

namespace {

constexpr std::size_t kinds = 12;

/// Shops of some kinds, each with its own usual amount; what is odd has the amount of another kind.
struct shops {
  explicit shops(std::uint64_t seed) : random(seed, 0) {
    for (auto& m : usual)
      m = random.uniform() * 20;
  }

  double bell() {
    double x = -6;
    for (int k = 0; k < 12; ++k)
      x += random.uniform();
    return x;
  }

  /// Common kinds are as common as many rare ones.
  std::size_t kind() {
    return std::min<std::size_t>(kinds - 1, static_cast<std::size_t>(random.uniform() * random.uniform() * kinds));
  }

  std::vector<double> row(bool odd) {
    const auto k = kind();
    auto of = k;
    while (odd && std::abs(usual[of] - usual[k]) < 5)
      of = random.below(kinds);
    return {static_cast<double>(k), usual[of] + bell(), bell()};
  }

  random_stream random;
  std::array<double, kinds> usual{};
};

fit_options with_words() {
  fit_options out;
  std::vector<std::string> levels;
  for (std::size_t k = 0; k < kinds; ++k)
    levels.push_back("kind " + std::to_string(k));
  out.categories = {{0, std::move(levels)}};
  return out;
}

struct fitted {
  explicit fitted(std::uint64_t seed, const fit_options& options = with_words()) : from(seed), m(make(options)) {
  }

  model make(const fit_options& options) {
    std::vector<double> values;
    for (int i = 0; i < 3000; ++i)
      for (auto x : from.row(false))
        values.push_back(x);
    return fit({values, 3000, 3}, {"kind", "amount", "other"}, options).value();
  }

  /// Share of pairs of an odd and an ordinary row of which the odd one has the higher score.
  double auroc() {
    std::vector<double> odd, ordinary;
    for (int i = 0; i < 300; ++i) {
      odd.push_back(m.score(from.row(true)).raw);
      ordinary.push_back(m.score(from.row(false)).raw);
    }
    double right = 0;
    for (auto a : odd)
      for (auto b : ordinary)
        right += a > b ? 1 : a == b ? 0.5 : 0;
    return right / static_cast<double>(odd.size() * ordinary.size());
  }

  shops from;
  model m;
};

} // namespace

TEST_CASE("a word beside the wrong numbers is found better than by the word's number", "[detection][f:5.1]") {
  double by_words = 0, by_numbers = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    by_words += fitted(seed).auroc() / 5;
    by_numbers += fitted(seed, fit_options()).auroc() / 5;
  }
  INFO("by words " << by_words << ", by numbers " << by_numbers);
  CHECK(by_words > by_numbers + 0.01);
}

TEST_CASE("a word that training did not have is rarer than all it had, and the first reason", "[detection][f:5.1]") {
  fitted f(7);
  double most = 0;
  for (std::size_t k = 0; k < kinds; ++k)
    most = std::max(most, f.m.score(std::vector<double>{static_cast<double>(k), f.from.usual[k], 0}).raw);
  const std::vector<double> unseen{-1, f.from.usual[0], 0};
  CHECK(f.m.score(unseen).raw > most);
  CHECK(f.m.score(unseen).risk > 99);
  CHECK(f.m.explain(unseen)[0].feature == 0);
  // Whatever number says so.
  CHECK(f.m.score(std::vector<double>{1e9, f.from.usual[0], 0}).raw == f.m.score(unseen).raw);
}

TEST_CASE("reasons of a model with words add up, one a column", "[detection][f:5.5]") {
  fitted f(9);
  for (int i = 0; i < 50; ++i) {
    const auto row = f.from.row(i % 2 == 0);
    const auto s = f.m.score(row);
    auto total = f.m.base();
    const auto reasons = f.m.explain(row);
    REQUIRE(reasons.size() == 3);
    for (const auto& c : reasons) {
      total += c.total();
      CHECK(c.value == row[c.feature]);
    }
    CHECK(std::abs(total - s.log2_total) < 1e-9);
    double local = 0;
    for (const auto& c : f.m.explain_local(row))
      local += c.total();
    CHECK(std::abs(local - s.local) < 1e-9);
  }
  // The most common kind is what is typical.
  CHECK(f.m.typical(0) == 0);
}

TEST_CASE("many rows with words are scored as one by one, missing ones too", "[detection][f:5.1]") {
  fitted f(11);
  std::vector<double> rows;
  for (int i = 0; i < 300; ++i)
    for (auto x : f.from.row(i % 3 == 0))
      rows.push_back(i % 50 == 0 ? NAN : x);
  const auto all = f.m.score_all({rows, 300, 3});
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto one = f.m.score(std::span(rows).subspan(3 * i, 3));
    CHECK(one.raw == all[i].raw);
    CHECK(one.raw > 0);
    CHECK(one.raw < 1);
  }
}

TEST_CASE("columns of words that cannot be are refused", "[detection]") {
  const std::vector<double> rows(30);
  const std::vector<std::string> names{"a", "b", "c"};
  const auto why = [&](std::vector<category_levels> categories, std::vector<bool> one_sided = {}) {
    fit_options o;
    o.categories = std::move(categories);
    o.one_sided = std::move(one_sided);
    const auto m = fit({rows, 10, 3}, names, o);
    return m ? std::string() : m.err().detail;
  };
  CHECK(why({{1, {"x"}}}).empty());
  CHECK(why({{3, {"x"}}}).find("column 3") != std::string::npos);
  CHECK(why({{1, {"x"}}, {1, {"y"}}}).find("ascend") != std::string::npos);
  CHECK(why({{1, {}}}).find("0 levels") != std::string::npos);
  CHECK(why({{1, {"x"}}}, {false, true, false}).find("one-sided") != std::string::npos);
}
