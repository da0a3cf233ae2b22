// The detector as its users see it: same bytes for any number of threads, reasons that add up, no input that fails.
#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "models/detection/model.hpp"
#include "models/detection/random.hpp"

using namespace pulse;
using namespace pulse::detection;

namespace {

struct rows_of {
  std::vector<double> values;
  std::size_t columns;

  matrix_view view() const {
    return {values, values.size() / columns, columns};
  }

  std::span<const double> row(std::size_t i) const {
    return std::span(values).subspan(i * columns, columns);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (std::size_t j = 0; j < columns; ++j)
      out.push_back("x" + std::to_string(j));
    return out;
  }
};

/// Sums of twelve uniform numbers: close to normal, the same everywhere.
rows_of bell(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  random_stream random(seed, 0);
  rows_of out{{}, columns};
  for (std::size_t i = 0; i < rows * columns; ++i) {
    double x = -6;
    for (int k = 0; k < 12; ++k)
      x += random.uniform();
    out.values.push_back(x);
  }
  return out;
}

model fit_on(const rows_of& data, fit_options options = {}) {
  auto m = fit(data.view(), data.names(), options);
  REQUIRE(m.ok());
  return *m;
}

void threads_of(int n, std::size_t count, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> team;
  for (int t = 0; t < n; ++t)
    team.emplace_back([&] {
      for (auto i = next++; i < count; i = next++)
        body(i);
    });
  for (auto& t : team)
    t.join();
}

constexpr auto nan_ = std::numeric_limits<double>::quiet_NaN();
constexpr auto inf_ = std::numeric_limits<double>::infinity();

} // namespace

TEST_CASE("a seed gives the same bytes for any number of threads", "[detection][f:5.2]") {
  const auto data = bell(700, 5, 1);
  for (auto kind : {model_kind::forest, model_kind::bundle}) {
    fit_options options{.kind = kind, .n_estimators = 20, .random_state = 7};
    const auto alone = fit_on(data, options).save();
    options.for_each = [](std::size_t count, const auto& body) {
      threads_of(4, count, body);
    };
    CHECK(fit_on(data, options).save() == alone);
    options.random_state = 8;
    CHECK(fit_on(data, options).save() != alone);
  }
}

TEST_CASE("contributions and the base add up to the total", "[detection][f:5.5]") {
  const auto data = bell(600, 6, 2);
  auto odd = bell(50, 6, 3);
  odd.values[3] = 40, odd.values[8] = nan_, odd.values[15] = -inf_, odd.values[20] = 1e300;
  for (auto kind : {model_kind::forest, model_kind::bundle}) {
    const auto m = fit_on(data, {.kind = kind, .n_estimators = 50});
    for (std::size_t i = 0; i < odd.view().rows; ++i) {
      auto sum = m.base();
      for (const auto& c : m.explain(odd.row(i)))
        sum += c.total();
      const auto s = m.score(odd.row(i));
      CHECK(std::abs(sum - s.log2_total) < 1e-9);
      CHECK(std::abs(std::exp2(sum) - s.raw) < 1e-9);
    }
  }
}

TEST_CASE("a missing or constant column contributes nothing", "[detection][f:5.5]") {
  auto data = bell(500, 4, 4);
  for (std::size_t i = 0; i < 500; ++i)
    data.values[i * 4 + 2] = 3.25;
  const auto m = fit_on(data, {.n_estimators = 30});
  const auto missing = std::vector<double>{0.5, nan_, 3.25, -1};
  for (const auto& c : m.explain(missing))
    if (c.feature == 1 || c.feature == 2)
      CHECK(std::abs(c.total()) < 1e-9);
  const auto nothing = std::vector<double>(4, nan_);
  CHECK(std::abs(m.score(nothing).log2_total - m.base()) < 1e-5);
}

TEST_CASE("a value outside the training range is found and named first", "[detection][f:5.5]") {
  const auto data = bell(1000, 5, 5);
  const auto m = fit_on(data);
  const auto limit = m.raw_limit(0.01);
  const auto fresh = bell(200, 5, 6);
  int found = 0, named = 0, false_alarms = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    false_alarms += m.score(fresh.row(i)).raw > limit;
    std::vector<double> row(fresh.row(i).begin(), fresh.row(i).end());
    row[i % 5] = i % 2 == 0 ? 6.5 : -6.5;
    found += m.score(row).raw > limit;
    named += m.explain(row)[0].feature == i % 5;
  }
  CHECK(found >= 190);
  CHECK(named >= 190);
  CHECK(false_alarms <= 8);
}

TEST_CASE("inside the training range the range term is 0", "[detection][f:5.5]") {
  const auto data = bell(1000, 3, 7);
  const auto m = fit_on(data);
  const auto middle = std::vector<double>{0.1, -0.3, 0.2};
  for (const auto& c : m.explain(middle))
    CHECK(c.range == 0);
}

TEST_CASE("less than usual of a one-sided column is as usual, more is not", "[detection][f:5.1]") {
  const auto data = bell(3000, 3, 21);
  for (auto kind : {model_kind::forest, model_kind::bundle}) {
    const auto plain = fit_on(data, {.kind = kind, .n_estimators = 30});
    const auto m = fit_on(data, {.kind = kind, .n_estimators = 30, .one_sided = {true, false, false}});
    const auto usual = m.score(std::vector<double>{m.typical(0), 0.1, 0.1});
    for (double x : {-0.5, -4.0, -1000.0, -inf_}) {
      const std::vector<double> row{x, 0.1, 0.1};
      const auto s = m.score(row);
      CHECK(s.raw == usual.raw);
      CHECK(s.tail == usual.tail);
      auto sum = m.base();
      for (const auto& c : m.explain(row)) {
        sum += c.total();
        CHECK((c.feature != 0 || c.value == x));
      }
      CHECK(std::abs(sum - s.log2_total) < 1e-9);
      std::vector<double> many;
      for (int i = 0; i < 20; ++i)
        many.insert(many.end(), row.begin(), row.end());
      CHECK(m.score_all({many, 20, 3})[19].raw == s.raw);
    }
    CHECK(plain.score(std::vector<double>{-4, 0.1, 0.1}).raw > plain.score(std::vector<double>{0, 0.1, 0.1}).raw);
    CHECK(m.score(std::vector<double>{4, 0.1, 0.1}).raw > usual.raw);
    CHECK(m.score(std::vector<double>{0, -4, 0.1}).raw > usual.raw);
  }
}

TEST_CASE("the calibrated risk is what it says on rows it has not seen", "[detection][f:5.1]") {
  const auto m = fit_on(bell(4000, 6, 8));
  const auto fresh = bell(8000, 6, 9);
  int one = 0, tenth = 0;
  for (std::size_t i = 0; i < 8000; ++i) {
    const auto s = m.score(fresh.row(i));
    CHECK((s.risk >= 0 && s.risk <= 100));
    one += s.risk >= 99, tenth += s.tail <= 0.001;
  }
  CHECK((one >= 40 && one <= 160));
  CHECK(tenth <= 32);
}

TEST_CASE("rows that are all alike are no risk, however many they are", "[detection][f:5.1]") {
  for (const std::size_t n : {1, 2, 30, 100, 500, 700, 1000})
    for (auto kind : {model_kind::forest, model_kind::bundle}) {
      std::vector<double> rows;
      for (std::size_t i = 0; i < n; ++i)
        rows.insert(rows.end(), {1.0, 2.0, 0.1});
      const auto m = fit({rows, n, 3}, {"a", "b", "c"}, {.kind = kind, .n_estimators = 50}).value();
      CHECK(m.score(std::span(rows).first(3)).risk < 1);
    }
}

TEST_CASE("no input makes it fail and every score lies in (0, 1)", "[detection][f:5.1]") {
  const std::vector<rows_of> hard{
      {{1}, 1},
      {{1, 2, 3}, 3},
      {{nan_, nan_}, 1},
      {{5, 5, 5, 5, 5, 5}, 2},
      {{inf_, -inf_, nan_, 1, 2, 3, 4, 5}, 2},
      {{1e308, -1e308, 1e-320, 0, 1e308, 7}, 1},
      {std::vector<double>(600, 2.0), 3},
  };
  const std::vector<double> probes{0, 5, nan_, inf_, -inf_, 1e308, -1e308, 1e-320};
  for (const auto& data : hard)
    for (auto kind : {model_kind::forest, model_kind::bundle}) {
      const auto m = fit_on(data, {.kind = kind, .n_estimators = 5});
      for (auto x : probes) {
        const std::vector<double> row(data.columns, x);
        const auto s = m.score(row);
        CHECK((s.raw > 0 && s.raw < 1));
        CHECK((s.risk >= 0 && s.risk <= 100));
        CHECK((s.tail > 0 && s.tail <= 1));
        for (const auto& c : m.explain(row))
          CHECK(std::isfinite(c.total()));
      }
    }
}

TEST_CASE("a tenant's whole detector takes at most a megabyte of memory", "[detection][f:5.2]") {
  const auto data = bell(1500, 16, 31);
  const auto m = fit_on(data);
  const auto file = m.save();
  CHECK(file.size() <= 400'000);
  const auto loaded = model::load(file);
  REQUIRE(loaded.ok());
  for (const auto bytes : {m.memory_bytes(), loaded->memory_bytes()}) {
    CHECK(bytes <= 1'000'000);
    // It is counted, not guessed: the file is the tightest form there is.
    CHECK(bytes > file.size());
  }
}

TEST_CASE("what cannot be fitted is refused with the reason", "[detection]") {
  const std::vector<double> none;
  CHECK(fit({none, 0, 2}, {"a", "b"}).err().code == ec::invalid);
  const std::vector<double> two{1, 2};
  CHECK(fit({two, 1, 2}, {"a"}).err().code == ec::invalid);
  CHECK(fit({two, 1, 2}, {"a", "b"}, {.n_estimators = 0}).err().code == ec::invalid);
  CHECK(fit({two, 1, 2}, {"a", "b"}, {.max_samples = 1}).err().code == ec::invalid);
  CHECK(fit({two, 1, 2}, {"a", "b"}, {.one_sided = {true}}).err().code == ec::invalid);
}

TEST_CASE("a column of next to nothing does not make a score of no number", "[detection][negative][f:5.1]") {
  rows_of data{{}, 2};
  for (int i = 0; i < 200; ++i)
    data.values.insert(data.values.end(), {i * 1e-322, i * 1.0});
  const auto m = fit_on(data, {.n_estimators = 5});
  for (auto x : {0.0, 1.0, 1e300, -inf_}) {
    const auto s = m.score(std::vector<double>{x, 5});
    CHECK((s.raw > 0 && s.raw < 1));
    for (const auto& c : m.explain(std::vector<double>{x, 5}))
      CHECK(std::isfinite(c.total()));
  }
}
