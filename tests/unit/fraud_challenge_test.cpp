// Which fraud model may take the other's place, what its margins mean, and what it adds to a risk.
#include <algorithm>
#include <limits>

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>

#include "models/detection/random.hpp"
#include "models/fraud/challenge.hpp"
#include "models/risk/assess.hpp"

using namespace pulse;

namespace {

const std::vector<std::string> names{"a", "b", "noise"};

/// Fraud where a is high and b low, but for a share of labels that are drawn anew; an hour between events.
fraud::labelled_history payments(std::size_t rows, std::uint64_t seed, double wrong = 0, std::size_t columns = 3) {
  detection::random_stream random(seed, 0);
  fraud::labelled_history out;
  out.columns = columns;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j)
      out.values.push_back(static_cast<float>(random.uniform()));
    const auto* x = &out.values[i * columns];
    const bool fraud = x[0] > 0.8f && x[1] < 0.4f;
    out.fraud.push_back(random.uniform() < wrong ? random.uniform() < 0.08 : fraud);
    out.at.push_back(time_ms{static_cast<std::int64_t>(i) * hour_ms});
  }
  return out;
}

fraud::challenge_options quick() {
  fraud::challenge_options o;
  o.fit.rounds = 40;
  return o;
}

double sum_of(const risk& r) {
  double out = 0;
  for (const auto& p : r.parts)
    out += p.points;
  return out;
}

} // namespace

TEST_CASE("area and average precision are those counted by hand, ties as one step", "[fraud][f:5.12]") {
  const auto best = fraud::rank({0.9, 0.8, 0.3, 0.1}, {1, 1, 0, 0});
  CHECK(best.auroc == 1);
  CHECK(best.average_precision == 1);
  CHECK(best.recall_at_1_percent == 1);
  const auto mixed = fraud::rank({0.9, 0.8, 0.3, 0.1}, {1, 0, 1, 0});
  CHECK(mixed.auroc == 0.75);
  CHECK_THAT(mixed.average_precision, Catch::Matchers::WithinAbs((1 + 2.0 / 3) / 2, 1e-12));
  CHECK(mixed.recall_at_1_percent == 0.5);
  const auto tied = fraud::rank({1, 1, 1, 1}, {1, 0, 1, 0});
  CHECK(tied.auroc == 0.5);
  CHECK(tied.average_precision == 0.5);
  CHECK(tied.recall_at_1_percent == 0);
}

TEST_CASE("labels that say something pass without a champion, and give the same bytes again", "[fraud][f:5.12]") {
  const auto history = payments(2000, 5);
  const auto one = fraud::challenge(history, names, {}, quick()).value();
  CHECK(one.passed);
  CHECK(one.challenger_rank->average_precision > 0.8);
  CHECK(one.held_out_rows == 500);
  CHECK(one.challenger->id() == fraud::challenge(history, names, {}, quick()).value().challenger->id());
  const auto again = fraud::judge::load(one.challenger->save()).value();
  CHECK(again.id() == one.challenger->id());
  CHECK(again.tail(1.5f) == one.challenger->tail(1.5f));
}

TEST_CASE("labels drawn by chance do not pass", "[fraud][f:4.10][negative]") {
  int passed = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed)
    passed += fraud::challenge(payments(1500, seed, 1), names, {}, quick()).value().passed ? 1 : 0;
  CHECK(passed <= 2);
}

TEST_CASE("a challenger that knows less does not displace the champion", "[fraud][f:4.10]") {
  const auto good = fraud::challenge(payments(4000, 1), names, {}, quick()).value();
  REQUIRE(good.passed);
  // Most labels of the challenger's own are wrong; the held-out ones are right.
  auto history = payments(2000, 2, 0.9);
  const auto right = payments(2000, 3);
  std::copy(right.values.begin() + 4500, right.values.end(), history.values.begin() + 4500);
  std::copy(right.fraud.begin() + 1500, right.fraud.end(), history.fraud.begin() + 1500);
  const auto held = fraud::challenge(history, names, fraud::champion{*good.challenger, time_ms{0}}, quick()).value();
  CHECK_FALSE(held.passed);
  CHECK(held.champion_rank->average_precision > held.challenger_rank->average_precision);
  // The other way round it takes the place.
  REQUIRE(held.challenger);
  const auto better =
      fraud::challenge(payments(4000, 9), names, fraud::champion{*held.challenger, time_ms{0}}, quick()).value();
  CHECK(better.passed);
}

TEST_CASE("a champion is only asked about events that it was not fitted on", "[fraud][f:4.10]") {
  const auto history = payments(2000, 5);
  const auto good = fraud::challenge(history, names, {}, quick()).value();
  const auto later =
      fraud::challenge(history, names, fraud::champion{*good.challenger, history.at[1950]}, quick()).value();
  CHECK(later.held_out_rows == 49);
  CHECK_FALSE(later.challenger);
  CHECK(later.why.find("that the champion has not seen") != std::string::npos);
}

TEST_CASE("too few labels say so and fit nothing", "[fraud][f:5.12]") {
  const auto few = fraud::challenge(payments(300, 1), names, {}, quick()).value();
  CHECK_FALSE(few.challenger);
  CHECK(few.why.find("300 events with final labels") == 0);
}

TEST_CASE("margins are read against those of legitimate events", "[fraud][f:5.12]") {
  const auto trees = fraud::fit({{0, 0, 0, 1, 1, 1}, {0, 1}}, names, {.rounds = 1}).value().trees;
  std::vector<float> margins(9'999);
  for (std::size_t i = 0; i < margins.size(); ++i)
    margins[i] = static_cast<float>(i);
  const fraud::judge j(trees, margins);
  CHECK(j.tail(1e6f) == 1e-4);
  CHECK(j.tail(9'998.0f) == 2e-4);
  CHECK(j.tail(9'000.0f) == 1e-1);
  CHECK(j.tail(0.0f) == 0.5);
  CHECK(fraud::judge(trees, {1, 2, 3}).tail(2) == 0.75);
  auto bytes = j.save();
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  CHECK_FALSE(fraud::judge::load(bytes).ok());
}

TEST_CASE("the higher of anomaly and fraud is the score, and its parts add up exactly", "[risk][f:4.7][f:5.12]") {
  const auto history = payments(4000, 5, 0, features::count);
  const auto judge = std::make_shared<const fraud::judge>(
      fraud::challenge(history, features::names(), {}, quick()).value().challenger.value());
  const auto placed = scoring::place(judge).value();
  detection::random_stream random(1, 0);
  int raised = 0;
  for (int i = 0; i < 2000; ++i) {
    features::row row;
    for (auto& x : row)
      x = random.uniform() < 0.1 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(random.uniform());
    auto r = scoring::unscored({});
    r.score = static_cast<double>(random.below(801)) / 8;
    r.parts = {{"model", "other", r.score, "", {}, {}}};
    const auto before = r.score;
    scoring::add_fraud(r, row, placed, {});
    CHECK(sum_of(r) == r.score);
    CHECK(r.score >= before);
    CHECK(r.score == std::max(before, scoring::score_of_tail(judge->tail(judge->trees().margin(row)))));
    CHECK(r.parts.back().source == "fraud_model");
    CHECK(r.parts.back().name == judge->id());
    raised += r.score > before ? 1 : 0;
  }
  CHECK(raised > 100);
}

TEST_CASE("a judge from before a feature was added says of a row what it said without it", "[risk][f:5.12]") {
  auto before = features::names();
  REQUIRE(before.back() == "hour_of_day");
  before.pop_back();
  const auto history = payments(2000, 6, 0, before.size());
  const auto judge =
      std::make_shared<const fraud::judge>(fraud::challenge(history, before, {}, quick()).value().challenger.value());
  const auto placed = scoring::place(std::make_shared<const fraud::judge>(fraud::judge::load(judge->save()).value()));
  REQUIRE(placed.ok());
  for (std::size_t i = 0; i < 200; ++i) {
    features::row row;
    std::copy_n(&history.values[i * before.size()], before.size(), row.begin());
    auto without = scoring::unscored({}), with = without;
    row.back() = std::numeric_limits<float>::quiet_NaN();
    scoring::add_fraud(without, row, *placed, {});
    row.back() = static_cast<float>(i % 24);
    scoring::add_fraud(with, row, *placed, {});
    CHECK(with.parts == without.parts);
    CHECK(with.score ==
          scoring::score_of_tail(judge->tail(judge->trees().margin(std::span(row).first(before.size())))));
  }
}

TEST_CASE("a champion that was fitted on the first of the features is compared by what it says of them",
          "[fraud][f:5.12]") {
  const auto few = payments(2000, 6, 0, 2);
  const auto champion = fraud::challenge(few, {"a", "b"}, {}, quick()).value();
  REQUIRE(champion.challenger);
  auto more = payments(2000, 7, 0.5);
  const auto done = fraud::challenge(more, names, fraud::champion{*champion.challenger, time_ms{0}}, quick()).value();
  REQUIRE(done.champion_rank);
  // The same rows without the third column.
  fraud::labelled_history same = more;
  same.columns = 2;
  same.values.clear();
  for (std::size_t i = 0; i < more.rows(); ++i)
    same.values.insert(same.values.end(), {more.values[3 * i], more.values[3 * i + 1]});
  const auto alike =
      fraud::challenge(same, {"a", "b"}, fraud::champion{*champion.challenger, time_ms{0}}, quick()).value();
  CHECK(done.champion_rank->auroc == alike.champion_rank->auroc);
  CHECK(done.champion_rank->average_precision == alike.champion_rank->average_precision);
}
