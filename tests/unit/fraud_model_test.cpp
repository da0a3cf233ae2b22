// The fraud model: the flat copy answers as the library does, the same rows give the same bytes, rules hold.
#include <cmath>
#include <limits>

#include <catch2/catch_test_macros.hpp>

#include "base/encoding.hpp"
#include "models/binary/bytes.hpp"
#include "models/detection/random.hpp"
#include "models/fraud/fit.hpp"

using namespace pulse;

namespace {

/// Fraud where the first column is high and the second low; the third is noise; one value in ten is missing.
fraud::labelled_rows payments(std::size_t rows, std::uint64_t seed) {
  detection::random_stream random(seed, 0);
  fraud::labelled_rows out;
  for (std::size_t i = 0; i < rows; ++i) {
    float x[3];
    for (auto& v : x)
      v = static_cast<float>(random.uniform());
    out.label.push_back(x[0] > 0.8f && x[1] < 0.4f && random.uniform() < 0.9 ? 1.0f : 0.0f);
    for (auto v : x)
      out.values.push_back(random.uniform() < 0.1 ? std::numeric_limits<float>::quiet_NaN() : v);
  }
  return out;
}

const std::vector<std::string> names{"amount_z", "age_of_customer", "noise"};

} // namespace

TEST_CASE("the flat copy of the trees gives the library's margins", "[fraud][f:5.12]") {
  const auto rows = payments(4000, 1);
  const auto fitted = fraud::fit(rows, names, {.rounds = 60}, true).value();
  REQUIRE(fitted.library_margins.size() == 4000);
  for (std::size_t i = 0; i < 4000; ++i)
    REQUIRE(fitted.trees.margin(std::span(rows.values).subspan(i * 3, 3)) == fitted.library_margins[i]);
}

TEST_CASE("the same rows and seed give the same fraud model, byte for byte", "[fraud][f:5.12]") {
  const auto rows = payments(2000, 2);
  const auto once = fraud::fit(rows, names, {.rounds = 30}).value().trees.save();
  CHECK(fraud::fit(rows, names, {.rounds = 30}).value().trees.save() == once);
  CHECK(fraud::fit(payments(2000, 3), names, {.rounds = 30}).value().trees.save() != once);
  const auto back = fraud::model::load(once).value();
  CHECK(back.save() == once);
  CHECK(back.features() == names);
}

TEST_CASE("contributions and the base are the margin", "[fraud][f:5.12]") {
  const auto rows = payments(3000, 4);
  const auto m = fraud::fit(rows, names, {.rounds = 50}).value().trees;
  for (std::size_t i = 0; i < 200; ++i) {
    const auto row = std::span(rows.values).subspan(i * 3, 3);
    auto sum = m.base();
    for (const auto& c : m.explain(row))
      sum += c.amount;
    CHECK(std::abs(sum - static_cast<double>(m.margin(row))) < 1e-4);
  }
  const std::vector<float> fraud{0.95f, 0.1f, 0.5f}, fair{0.2f, 0.1f, 0.5f};
  CHECK(m.probability(fraud) > 0.7);
  CHECK(m.probability(fair) < 0.05);
  // Both columns make it, in whatever order; noise does not.
  CHECK(m.explain(fraud)[2].feature == 2);
}

TEST_CASE("a monotone feature never lowers the risk", "[fraud][f:5.12]") {
  auto rows = payments(3000, 5);
  const auto m = fraud::fit(rows, names, {.rounds = 40, .monotone = {1, 0, 0}}).value().trees;
  for (float other : {0.1f, 0.3f, 0.6f}) {
    float last = -100;
    for (float x = 0; x <= 1; x += 0.02f) {
      const auto margin = m.margin(std::vector<float>{x, other, 0.5f});
      CHECK(margin >= last);
      last = margin;
    }
  }
}

TEST_CASE("labels too young to be final are left out", "[fraud][f:5.12]") {
  const auto now = *parse_time("2026-11-20T00:00:00Z");
  CHECK(fraud::is_mature(*parse_time("2026-11-13T00:00:00Z"), now));
  CHECK_FALSE(fraud::is_mature(*parse_time("2026-11-13T00:00:01Z"), now));
}

TEST_CASE("a tenant with few frauds leans on the pooled model", "[fraud][f:5.12]") {
  CHECK(fraud::shrunk_margin(2, -1, 0) == -1);
  CHECK(fraud::shrunk_margin(2, -1, 50) == 0.5);
  CHECK(fraud::shrunk_margin(2, -1, 1'000'000) > 1.99);
}

TEST_CASE("what cannot be learnt from is refused with the reason", "[fraud]") {
  auto rows = payments(100, 6);
  rows.label.assign(100, 0.0f);
  CHECK(fraud::fit(rows, names).err().detail.find("nothing to tell apart") != std::string::npos);
  rows.values.pop_back();
  CHECK(fraud::fit(rows, names).err().code == ec::invalid);
}

TEST_CASE("a broken fraud model is refused or safe", "[fraud][f:5.2]") {
  const auto file = fraud::fit(payments(1000, 7), names, {.rounds = 10}).value().trees.save();
  for (std::size_t size = 0; size < file.size(); size += 1 + size / 9)
    CHECK(fraud::model::load(std::string_view(file).substr(0, size)).err().code == ec::corrupt);
  detection::random_stream random(8, 0);
  for (int k = 0; k < 2000; ++k) {
    auto payload = std::string(std::string_view(file).substr(10, file.size() - 26));
    for (int flips = 0; flips < 3; ++flips)
      payload[random.below(static_cast<std::uint32_t>(payload.size()))] = static_cast<char>(random.next());
    const auto m = fraud::model::load(binary::seal("PULSEFRD", 1, payload));
    if (!m)
      continue;
    const std::vector<float> row(m->features().size(), 0.5f);
    CHECK(std::isfinite(m->margin(row)));
  }
}
