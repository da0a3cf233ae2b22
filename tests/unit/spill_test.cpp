// The spill: what a log that is away refuses is taken by the disk and follows, each once per answer of the log, in the
// order in which it came, whoever dies meanwhile.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <fmt/format.h>
#include <map>
#include <random>

#include "spill/spill.hpp"
#include "tests/support/fake_event_log.hpp"

using namespace pulse;
using pulse::testing::fake_event_log;
using pulse::testing::fake_log_disk;

namespace {

constexpr auto raw = log_topic::raw;
const slot_id slot{1};

std::vector<log_entry> entries_of(std::initializer_list<const char*> names) {
  std::vector<log_entry> out;
  for (const auto* n : names)
    out.push_back({tenant_id{7}, "7/k", n, "trace", "", epoch{}});
  return out;
}

std::string values(const fake_event_log& log, slot_id s = slot) {
  std::string out;
  for (const auto& r : log.records(raw, s))
    out += r.entry.value;
  return out;
}

/// A log, a disk that outlives programs, and the spill between them.
class spilled_log {
public:
  explicit spilled_log(std::uint64_t bytes_max = 1 << 20) {
    settings.bytes_max = bytes_max;
    open();
  }

  void open() {
    auto made = std::make_unique<fake_event_log>(4, kept);
    disk = made.get();
    subject = std::move(*spill::open(log, std::move(made), settings));
  }

  void die() {
    subject.reset();
    open();
  }

  /// What each append was answered with, in the order of the answers: a name, `-` before it where it was refused.
  void append(const char* name, slot_id s = slot) {
    subject->append(s, entries_of({name}), [this, name = std::string(name)](const result<log_offset>& at) {
      answers += (at ? "" : "-") + name;
      if (!at)
        last = at.err();
    });
  }

  fake_event_log log{4};
  std::shared_ptr<fake_log_disk> kept = std::make_shared<fake_log_disk>();
  spill_settings settings;
  fake_event_log* disk = nullptr;
  std::unique_ptr<spill> subject;
  std::string answers;
  error last;
};

} // namespace

TEST_CASE("a log that is there takes everything itself", "[spill][f:2.11]") {
  spilled_log s;
  for (const auto* n : {"a", "b", "c"})
    s.append(n);
  CHECK(s.answers == "abc");
  CHECK(values(s.log) == "abc");
  CHECK(s.subject->stats().taken == 0);
  CHECK(s.disk->end(raw, slot) == log_offset{0});
}

TEST_CASE("what the log refuses is acknowledged from the disk and follows in order", "[spill][f:2.11]") {
  spilled_log s;
  s.append("a");
  s.log.fail_next(2);
  s.append("b");
  s.append("c");
  CHECK(s.answers == "abc");
  CHECK(values(s.log) == "a");
  CHECK(s.subject->stats().events == 2);
  CHECK(s.subject->stats().slots == 1);
  // One failure is left: it stays on the disk.
  s.subject->follow();
  CHECK(values(s.log) == "a");
  CHECK(s.subject->stats().events == 2);
  s.append("d");
  s.subject->follow();
  CHECK(values(s.log) == "abcd");
  CHECK(s.disk->begin(raw, slot) == s.disk->end(raw, slot));
  const auto after = s.subject->stats();
  CHECK(after.events == 0);
  CHECK(after.bytes == 0);
  CHECK(after.slots == 0);
  CHECK(after.followed == 3);
  // And the log takes what comes again.
  s.append("e");
  CHECK(values(s.log) == "abcde");
  CHECK(s.subject->stats().taken == 3);
}

TEST_CASE("what came while others were under way does not pass them", "[spill][f:2.11]") {
  spilled_log s;
  s.log.cork();
  s.append("a");
  s.append("b");
  s.log.fail_next(2, ec::timeout);
  CHECK(s.answers.empty());
  s.log.uncork();
  s.append("c");
  CHECK(s.answers == "abc");
  CHECK(values(s.log).empty());
  s.subject->follow();
  CHECK(values(s.log) == "abc");
}

TEST_CASE("what comes while the last batch follows is behind it", "[spill][f:2.11]") {
  spilled_log s;
  s.log.fail_next(1);
  s.append("a");
  s.log.cork();
  s.subject->follow();
  s.append("b");
  CHECK(s.answers == "a");
  s.log.uncork();
  CHECK(s.answers == "ab");
  CHECK(values(s.log) == "ab");
  CHECK(s.subject->stats().taken == 1);

  SECTION("and goes to the disk when the log is away again") {
    s.log.fail_next(2);
    s.append("c");
    s.log.cork();
    s.subject->follow();
    s.append("d");
    CHECK(s.answers == "abc");
    s.log.uncork();
    CHECK(s.answers == "abcd");
    CHECK(values(s.log) == "ab");
    s.subject->follow();
    CHECK(values(s.log) == "abcd");
  }
}

TEST_CASE("what never can be in the log is refused and not kept", "[spill]") {
  spilled_log s;
  s.log.fail_next(1, ec::too_large);
  s.append("a");
  CHECK(s.answers == "-a");
  CHECK(s.last.code == ec::too_large);
  CHECK(s.subject->stats().slots == 0);
}

TEST_CASE("a spill that is full refuses, and keeps what it has", "[spill][f:2.11]") {
  // Room for one.
  spilled_log s(200);
  s.log.fail_next(1);
  s.append("a");
  CHECK(s.subject->healthy().ok());
  s.append("b");
  CHECK(s.answers == "a-b");
  CHECK(s.last.code == ec::unavailable);
  CHECK(s.subject->stats().refused == 1);
  s.subject->follow();
  CHECK(values(s.log) == "a");
  s.append("c");
  CHECK(values(s.log) == "ac");
}

TEST_CASE("a disk without room refuses", "[spill]") {
  spilled_log s;
  s.disk->fill_disk(true);
  s.log.fail_next(1);
  s.append("a");
  CHECK(s.answers == "-a");
  CHECK(s.last.code == ec::no_space);
  CHECK(s.subject->stats().bytes == 0);
  CHECK_FALSE(s.subject->healthy().ok());
}

TEST_CASE("the next run finds what was left, and lets it follow first", "[spill][f:2.11]") {
  spilled_log s;
  s.log.fail_next(1);
  s.append("a");
  s.append("b");
  const auto before = s.subject->stats();
  s.die();
  CHECK(s.subject->stats().events == 2);
  CHECK(s.subject->stats().bytes == before.bytes);
  s.append("c");
  CHECK(values(s.log).empty());
  s.subject->follow();
  CHECK(values(s.log) == "abc");

  SECTION("without room too, but takes nothing more") {
    s.log.fail_next(1);
    s.append("d");
    s.settings.bytes_max = 0;
    s.die();
    s.append("e");
    CHECK(s.answers == "abcd-e");
    s.subject->follow();
    CHECK(values(s.log) == "abcd");
    s.append("f");
    CHECK(values(s.log) == "abcdf");
  }
}

TEST_CASE("slots do not wait for each other", "[spill]") {
  spilled_log s;
  s.log.fail_next(1);
  s.append("a");
  s.append("b", slot_id{2});
  CHECK(values(s.log, slot_id{2}) == "b");
  CHECK(values(s.log).empty());
}

TEST_CASE("batches are cut by records, and none is sent twice at once", "[spill]") {
  spilled_log s;
  s.settings.batch_records_max = 2;
  s.die();
  s.log.fail_next(1);
  for (const auto* n : {"a", "b", "c", "d", "e"})
    s.append(n);
  s.log.cork();
  s.subject->follow();
  s.subject->follow();
  CHECK(s.log.waiting() == 1);
  s.log.uncork();
  CHECK(values(s.log) == "ab");
  s.subject->follow();
  s.subject->follow();
  CHECK(values(s.log) == "abcde");
}

TEST_CASE("a spill made for another number of slots is not opened", "[spill]") {
  fake_event_log log{4};
  const auto made = spill::open(log, std::make_unique<fake_event_log>(2), {});
  REQUIRE_FALSE(made.ok());
  CHECK(made.err().code == ec::invalid);
}

TEST_CASE("any order of failures, answers held back and deaths loses nothing and keeps the order", "[spill][f:2.11]") {
  const auto seed = GENERATE(range(0, 400));
  CAPTURE(seed);
  std::mt19937 chance(static_cast<unsigned>(seed));
  const auto below = [&](int n) {
    return std::uniform_int_distribution(0, n - 1)(chance);
  };
  spilled_log s;
  s.settings.batch_records_max = 3;
  s.die();
  // Each caller sends its next entry when the one before is answered; what it was told.
  std::map<int, std::vector<int>> acknowledged;
  std::map<int, bool> busy;
  int next = 0;
  for (int step = 0; step < 200; ++step) {
    const auto what = below(12);
    if (what < 6) {
      const int caller = below(3);
      if (busy[caller])
        continue;
      busy[caller] = true;
      const int n = next++;
      s.subject->append(slot, {{tenant_id{7}, "k", fmt::format("{}/{}", caller, n), "", "", epoch{}}},
                        [&busy, &acknowledged, caller, n](const result<log_offset>& at) {
                          busy[caller] = false;
                          if (at)
                            acknowledged[caller].push_back(n);
                        });
    } else if (what < 8) {
      s.subject->follow();
    } else if (what == 8) {
      s.log.fail_next(below(4), below(2) == 0 ? ec::timeout : ec::unavailable, below(3) == 0);
    } else if (what == 9) {
      s.log.cork();
    } else if (what == 10) {
      s.log.uncork();
    } else if (below(5) == 0) {
      // What is under way is answered before a program ends; its memory does not outlive it.
      s.log.uncork();
      s.die();
    }
  }
  s.log.uncork();
  s.log.fail_next(0);
  for (int i = 0; i < 300 && s.subject->stats().slots > 0; ++i)
    s.subject->follow();
  CHECK(s.subject->stats().events == 0);
  CHECK(s.subject->stats().bytes == 0);
  std::map<int, std::vector<int>> stored;
  for (const auto& r : s.log.records(raw, slot)) {
    const auto caller = r.entry.value[0] - '0';
    const auto n = std::stoi(r.entry.value.substr(2));
    auto& mine = stored[caller];
    // The first copy counts, as it does by its id where events are stored.
    if (std::find(mine.begin(), mine.end(), n) == mine.end())
      mine.push_back(n);
  }
  for (const auto& [caller, told] : acknowledged) {
    CAPTURE(caller);
    std::erase_if(stored[caller], [&told](int n) { return std::find(told.begin(), told.end(), n) == told.end(); });
    CHECK(stored[caller] == told);
  }
}
