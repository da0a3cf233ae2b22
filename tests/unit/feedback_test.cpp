// What people say of incidents: what it asks of the next one, what it leaves alone, and what it cost, without
// look-ahead.
#include <algorithm>

#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "models/alert/metric_alert.hpp"
#include "models/series/watch.hpp"
#include "tests/support/watched_shop.hpp"

using namespace pulse;
using namespace pulse::series;
using Catch::Approx;
using test::lose;
using test::monday;
using test::shop;
using test::week;

namespace {

const incident_line south_down{"orders", "store=south", false};

time_ms day(double n) {
  return {monday + static_cast<std::int64_t>(n * static_cast<double>(day_ms))};
}

/// Came on a day and was judged an hour later.
judged_incident judged(double n, double weight, bool useful, const incident_line& line = south_down) {
  return {line, weight, day(n), {day(n).value + hour_ms}, useful, false};
}

double needed(const std::vector<judged_incident>& words, double days, const incident_line& line = south_down) {
  const auto bar = bar_of(words, line, {day(days).value + hour_ms});
  return bar ? bar->needed : 0;
}

/// What leads when the stores stop in hour `at`, as the watch finds it.
judged_incident found_in(const watch_question& q, bool useful) {
  const auto a = watch(q);
  REQUIRE(a.told.size() == 1);
  const auto& f = a.told[0];
  return {line_of(f), weight_of(f), f.first, {f.first.value + hour_ms}, useful, false};
}

constexpr auto at = 5 * week - 10;

watch_question stopped(std::uint64_t seed) {
  auto q = shop(5 * week, seed);
  lose(q, 1, at), lose(q, 2, at), lose(q, 3, at);
  return q;
}

} // namespace

TEST_CASE("a false alarm asks for half its weight more, half of that after eight weeks, nothing after ninety days",
          "[series][f:5.9]") {
  const std::vector words{judged(0, 3, false)};
  CHECK(needed(words, 0) == Approx(4.5));
  CHECK(needed(words, 56) == Approx(2.25));
  CHECK(needed(words, 30) > 3);
  CHECK(needed(words, 35) < 3);
  CHECK(needed(words, 89) > 1);
  CHECK(needed(words, 90) == 0);
  for (double d = 1; d < 90; ++d)
    CHECK(needed(words, d) < needed(words, d - 1));
  // The heaviest counts, and with it the day of its word.
  const std::vector both{judged(0, 3, false), judged(1, 1.2, false)};
  const auto bar = bar_of(both, south_down, day(2));
  REQUIRE(bar);
  CHECK(bar->said == both[0].said);
  CHECK(bar->needed == Approx(needed(words, 2)).epsilon(0.001));
}

TEST_CASE("another metric, another segment and the other side are left alone", "[series][f:5.9]") {
  const std::vector words{judged(0, 9, false)};
  CHECK(needed(words, 1) > 13);
  CHECK(needed(words, 1, {"orders", "store=south", true}) == 0);
  CHECK(needed(words, 1, {"orders", "store=north", false}) == 0);
  CHECK(needed(words, 1, {"orders", "", false}) == 0);
  CHECK(needed(words, 1, {"revenue", "store=south", false}) == 0);
}

TEST_CASE("a useful word takes the bar down to itself, and one that was no heavier takes it away", "[series][f:5.9]") {
  const auto mark = judged(0, 3, false);
  CHECK(needed({mark, judged(1, 4, true)}, 2) == 4);
  CHECK(needed({mark, judged(1, 4, true), judged(1.5, 3.5, true)}, 2) == 3.5);
  CHECK(needed({mark, judged(1, 3, true)}, 2) == 0);
  CHECK(needed({mark, judged(1, 2, true)}, 2) == 0);
  // One that is heavier than the bar anyway changes nothing.
  CHECK(needed({mark, judged(1, 9, true)}, 2) == needed({mark}, 2));
  // Words that came before, and of other lines, take nothing back.
  CHECK(needed({judged(-1, 2, true), mark}, 2) == needed({mark}, 2));
  CHECK(needed({mark, judged(1, 2, true, {"orders", "store=south", true})}, 2) == needed({mark}, 2));
  // A false alarm after it asks anew.
  CHECK(needed({mark, judged(1, 2, true), judged(2, 2.5, false)}, 2) == Approx(3.75));
}

TEST_CASE("the replay counts what earlier words would have done", "[series][f:5.9]") {
  auto held = judged(6, 3, true);
  held.withheld = true;
  const std::vector all{judged(0, 3, false),  // the first of its line: no repeat
                        judged(1, 4, false),  // cut
                        judged(2, 20, false), // a repeat that is far heavier: told again
                        judged(3, 4, false, {"revenue", "", true}),
                        judged(4, 5, true, {"refunds", "", true}),
                        judged(5, 5, true), // lost
                        held};
  const auto q = replay_feedback(all, day(0), day(10));
  CHECK(q.judged.useful == 3);
  CHECK(q.judged.false_alarm == 4);
  CHECK(q.told.useful == 2);
  CHECK(q.withheld.useful == 1);
  CHECK(q.repeats_cut.all == 2);
  CHECK(q.repeats_cut.hits == 1);
  CHECK(q.recall_lost.all == 3);
  CHECK(q.recall_lost.hits == 2);
  // Earlier ones are words alone.
  const auto later = replay_feedback(all, day(1), day(2));
  CHECK(later.judged.total() == 1);
  CHECK(later.repeats_cut.hits == 1);
  CHECK(replay_feedback({}, day(0), day(10)).recall_lost.all == 0);
}

TEST_CASE("the replay looks at no word that was given later", "[series][f:5.9]") {
  detection::random_stream random(7, 0);
  std::vector<judged_incident> all;
  for (int i = 0; i < 300; ++i) {
    auto j = judged(80 * random.uniform(), 1 + 4 * random.uniform(), random.uniform() < 0.4,
                    {"orders", random.uniform() < 0.5 ? "store=1" : "store=2", random.uniform() < 0.5});
    j.said = {j.at.value + static_cast<std::int64_t>(20 * random.uniform() * static_cast<double>(day_ms))};
    all.push_back(j);
  }
  const auto counts = [](const feedback_quality& q) {
    return std::vector{q.judged.useful,   q.judged.false_alarm, q.repeats_cut.hits,
                       q.repeats_cut.all, q.recall_lost.hits,   q.recall_lost.all};
  };
  for (const auto until : {day(20), day(50), day(70)}) {
    auto known = all;
    std::erase_if(known, [&](const auto& j) { return j.at >= until; });
    CHECK(counts(replay_feedback(known, day(0), until)) == counts(replay_feedback(all, day(0), until)));
    // Words after that day judge what came before it, and ask nothing of it.
    auto silent = known;
    for (auto& j : silent)
      j.said = std::max(j.said, until);
    CHECK(replay_feedback(silent, day(0), until).repeats_cut.all == 0);
    CHECK(replay_feedback(silent, day(0), until).recall_lost.hits == 0);
  }
}

TEST_CASE("words that are known too early show in the replay", "[series][negative][f:5.9]") {
  std::vector all{judged(0, 3, true), judged(0.5, 3, false)};
  CHECK(replay_feedback(all, day(0), day(1)).recall_lost.hits == 0);
  all[1].said = {day(0).value - 1};
  CHECK(replay_feedback(all, day(0), day(1)).recall_lost.hits == 1);
}

TEST_CASE("the watch withholds what is like a false alarm, and says by which word", "[series][f:5.9]") {
  auto q = stopped(3);
  const auto word = found_in(q, false);
  q.judged = {word};
  const auto a = watch(q);
  CHECK(a.told.empty());
  REQUIRE(a.withheld.size() == 1);
  CHECK(a.withheld[0].bar.said == word.said);
  CHECK(alert::held_reason(a.withheld[0]).starts_with("feedback: "));
  CHECK(alert::held_reason(a.withheld[0]).find("called a false alarm on 2023-12-17") != std::string::npos);
  const auto data = nlohmann::json::parse(alert::metric_candidate(tenant_id{1}, a.withheld[0].what, {}, {}).data);
  CHECK(data["metric"] == word.line.metric);
  CHECK(data["direction"] == "down");
  CHECK(data["strength"].get<double>() >= 1);
  CHECK(data["weight"].get<double>() == Approx(word.weight).margin(0.001));

  // Each of these is told as if nothing had been said.
  auto other = q;
  other.judged[0].line.up = true;
  CHECK(watch(other).told.size() == 1);
  other = q;
  other.judged[0].line.segment = "store=1";
  CHECK(watch(other).told.size() == 1);
  auto weak = q;
  weak.judged[0].weight = word.weight / 1.51;
  CHECK(watch(weak).told.size() == 1);
  auto old = q;
  old.judged[0].said.value -= 89 * day_ms;
  CHECK(watch(old).told.size() == 1);
  auto wanted = q;
  wanted.judged.push_back(word);
  wanted.judged[1].useful = true;
  ++wanted.judged[1].said.value;
  CHECK(watch(wanted).told.size() == 1);
}

TEST_CASE("what was withheld uses no budget", "[series][f:5.9][f:5.7]") {
  auto q = stopped(3);
  watch_config one;
  one.per_week = 1;
  const auto word = found_in(q, false);
  // Another incident a day before, which alone would use up the week.
  auto before = q;
  before.told = {{word.at.value - day_ms}};
  CHECK(watch(before, one).told.empty());
  CHECK(watch(before, one).held == 1);
  before.withheld = before.told;
  before.told.clear();
  CHECK(watch(before, one).told.size() == 1);
}

TEST_CASE("a withheld incident does not hide what comes after it", "[series][f:5.9]") {
  auto q = shop(5 * week, 3);
  lose(q, 1, at);
  const auto first = watch(q);
  REQUIRE(first.told.size() == 1);
  const auto begin = first.told[0].first;
  // The next look: the same stretch goes on, and now everything stops.
  auto grown = q;
  for (auto h = at + 2; h < at + 5; ++h)
    lose(grown, 1, h), lose(grown, 2, h), lose(grown, 3, h);
  grown.fresh = at + 1;
  auto told = grown;
  told.told = {begin};
  CHECK(watch(told).told.empty());
  grown.withheld = {begin};
  const auto second = watch(grown);
  REQUIRE(second.told.size() == 1);
  CHECK(second.told[0].first.value >= monday + static_cast<std::int64_t>(at + 1) * hour_ms);
  // Told once, it goes on like any other; still like the false alarm, it is not stored again.
  auto after = grown;
  after.told = {second.told[0].first};
  CHECK(watch(after).told.empty());
  auto like = grown;
  like.judged = {{line_of(second.told[0]), weight_of(second.told[0]), begin, begin, false, false}};
  CHECK(watch(like).told.empty());
  CHECK(watch(like).withheld.empty());
}

TEST_CASE("after half a loss was called false the same is withheld and a whole loss is told", "[series][f:5.9]") {
  int same = 0, cut = 0, outages = 0, told = 0;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    auto q = shop(6 * week, seed);
    const auto dip = [](watch_question& in, std::size_t hour) {
      for (std::size_t store = 1; store <= 3; ++store)
        lose(in, store, hour, 0.5), lose(in, store, hour + 1, 0.5);
    };
    const auto first = 4 * week + 24 + 11 + 3 * seed % 7, second = 6 * week - 60 + 5 * seed % 11;
    dip(q, first);
    auto before = q;
    for (auto& l : before.lines)
      l.values.resize(first + 6);
    before.fresh = first - 1;
    const auto a = watch(before);
    if (a.told.empty())
      continue;
    const auto& f = a.told[0];
    q.judged = {{line_of(f), weight_of(f), f.first, f.last, false, false}};
    q.fresh = second - 1;
    auto whole = q;
    dip(q, second);
    const auto again = watch(q);
    same += !again.told.empty() || !again.withheld.empty();
    cut += again.told.empty() && !again.withheld.empty();
    for (std::size_t store = 1; store <= 3; ++store)
      lose(whole, store, second), lose(whole, store, second + 1);
    const auto outage = watch(whole);
    outages += !outage.told.empty() || !outage.withheld.empty();
    told += !outage.told.empty();
  }
  CAPTURE(same, cut, outages, told);
  CHECK(same >= 2);
  CHECK(cut >= same - 1);
  CHECK(outages >= 3);
  CHECK(told == outages);
}
