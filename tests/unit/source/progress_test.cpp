// How far a source was read: positions move behind acknowledged events alone, whatever fails.
#include <catch2/catch_test_macros.hpp>

#include <random>
#include <set>

#include "models/source/progress.hpp"

using namespace pulse;
using source::progress;
using source::step;

namespace {

source::record record_of(int partition, std::int64_t offset) {
  return {partition, offset, 1000 + offset, "{}"};
}

source::batch_answer failure(ec code, std::int64_t retry_after_ms = 0) {
  source::batch_answer out;
  out.failed = error{code, "why", ""};
  out.retry_after_ms = retry_after_ms;
  return out;
}

} // namespace

TEST_CASE("a batch is read, sent, and its position kept when it is acknowledged", "[source][f:2.14]") {
  progress p;
  CHECK(p.next(0) == step::open);
  CHECK(p.seen().state == "starting");
  p.opened(0);
  CHECK(p.seen().state == "running");
  REQUIRE(p.next(0) == step::read);
  p.took({}, 1);
  REQUIRE(p.next(1) == step::read);
  p.took({record_of(0, 5), record_of(1, 2), record_of(0, 7)}, 2);
  REQUIRE(p.next(2) == step::send);
  p.sent(1000);
  CHECK(p.next(3) == step::wait);
  p.answered({std::nullopt, 0, 2, 1}, 4);
  REQUIRE(p.next(4) == step::save);
  const auto s = p.to_save();
  CHECK(s.next == source::positions{{0, 8}, {1, 3}});
  CHECK(s.accepted == 2);
  CHECK(s.refused == 1);
  CHECK(s.last_record_ms == 1007);
  p.stored({}, 5);
  CHECK(p.next(5) == step::read);
}

TEST_CASE("a tenant over its limit waits as long as it is told", "[source][f:2.14]") {
  progress p;
  p.opened(0);
  p.took({record_of(0, 0)}, 0);
  p.sent(1000);
  p.answered(failure(ec::rate_limited, 3000), 10);
  CHECK(p.seen().state == "waiting");
  CHECK(p.seen().code == "rate_limited");
  CHECK(p.next(3009) == step::wait);
  CHECK(p.next(3010) == step::send);
  CHECK(p.batch().size() == 1);
}

TEST_CASE("a tenant whose burst is smaller than a batch gets it in pieces", "[source][f:2.14]") {
  progress p;
  p.opened(0);
  std::vector<source::record> records;
  for (int i = 0; i < 100; ++i)
    records.push_back(record_of(0, i));
  p.took(records, 0);
  constexpr std::size_t burst = 7;
  std::int64_t now = 0, stored = 0;
  for (int i = 0; i < 200 && p.next(now) != step::read; ++i) {
    now = std::max(now, p.wake_at());
    REQUIRE(p.next(now) == step::send);
    const auto n = p.batch().size();
    REQUIRE(n >= 1);
    REQUIRE(p.batch().front().offset == stored);
    p.sent(now + 1000);
    if (n > burst) {
      p.answered(failure(ec::rate_limited, 100), now);
      continue;
    }
    p.answered({std::nullopt, 0, static_cast<std::int64_t>(n), 0}, now);
    stored = p.to_save().next.at(0);
    p.stored({}, now);
  }
  CHECK(stored == 100);
}

TEST_CASE("a batch without an answer is sent again, and a late answer of a lost one changes nothing",
          "[source][f:2.14]") {
  progress p;
  p.opened(0);
  p.took({record_of(0, 0)}, 0);
  p.sent(1000);
  CHECK(p.next(1000) == step::send);
  p.lost("unreachable", "gone", 1000);
  CHECK(p.seen() == source::status{"failing", "unreachable", "gone"});
  p.answered({std::nullopt, 0, 1, 0}, 1001);
  CHECK(p.next(1'000'000) == step::open);
}

TEST_CASE("a source that can't be opened is tried again ever later, up to a minute", "[source][f:2.14]") {
  progress p;
  std::int64_t now = 0, before = 0;
  for (int i = 0; i < 20; ++i) {
    p.lost("authentication", "no", now);
    CHECK(p.next(now) == step::wait);
    const auto delay = p.wake_at() - now;
    CHECK(delay >= before);
    CHECK(delay <= 60'000);
    before = delay;
    now = p.wake_at();
    CHECK(p.next(now) == step::open);
    // Opened and lost at once is no success.
    p.opened(now);
  }
  CHECK(before == 60'000);
  p.took({}, now);
  p.lost("unreachable", "no", now);
  CHECK(p.wake_at() - now == 500);
}

TEST_CASE("whatever fails, each record is acknowledged before its position is kept, and none is left out",
          "[source][f:2.14]") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto chance = [&](int percent) {
      return static_cast<int>(random() % 100) < percent;
    };
    constexpr std::int64_t all = 60;
    progress p;
    std::int64_t now = 0, read_from = 0, stored = 0;
    std::set<std::int64_t> acknowledged;
    for (int i = 0; i < 5000 && stored < all; ++i, now += 50) {
      switch (p.next(now)) {
        case step::open:
          if (chance(30)) {
            p.lost("unreachable", "", now);
            break;
          }
          read_from = stored;
          p.opened(now);
          break;
        case step::read: {
          if (chance(10)) {
            p.lost("unreachable", "", now);
            break;
          }
          std::vector<source::record> got;
          for (auto n = random() % 5; n > 0 && read_from < all; --n)
            got.push_back(record_of(0, read_from++));
          p.took(std::move(got), now);
          break;
        }
        case step::send: {
          p.sent(now + 1000);
          // The answer may be lost although the log has it.
          if (chance(70))
            for (const auto& r : p.batch())
              acknowledged.insert(r.offset);
          else
            break;
          if (chance(80))
            p.answered({std::nullopt, 0, static_cast<std::int64_t>(p.batch().size()), 0}, now);
          break;
        }
        case step::save: {
          const auto s = p.to_save();
          for (auto o = stored; o < s.next.at(0); ++o)
            REQUIRE(acknowledged.contains(o));
          REQUIRE(s.next.at(0) >= stored);
          if (chance(20)) {
            p.stored(error{ec::unavailable, "", ""}, now);
            break;
          }
          stored = s.next.at(0);
          p.stored({}, now);
          break;
        }
        case step::wait: break;
      }
    }
    CHECK(stored == all);
  }
}
