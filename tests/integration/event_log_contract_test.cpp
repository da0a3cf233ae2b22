// The promises of the event_log port, one by one; the fake and the adapters all pass.
#include <catch2/catch_template_test_macros.hpp>
#include <map>
#include <mutex>
#include <thread>

#include "event_log_subjects.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

using list = std::vector<std::string>;

} // namespace

TEMPLATE_TEST_CASE("a new log is empty in every slot and topic", "[log][f:2.5]", fake_subject, rocks_subject,
                   kafka_subject) {
  TestType subject;
  auto& log = subject.log();
  CHECK(log.slots() == 4);
  CHECK(log.generation().value > 0);
  CHECK(log.healthy().ok());
  for (auto topic : {log_topic::raw, log_topic::enriched, log_topic::scored, log_topic::failed, log_topic::alerts})
    for (int s = 0; s < 4; ++s) {
      CHECK(log.begin(topic, slot_id{s}) == log_offset{0});
      CHECK(log.end(topic, slot_id{s}) == log_offset{0});
      CHECK(values(log, {}, slot_id{s}, topic).empty());
    }
}

TEMPLATE_TEST_CASE("an append gets consecutive offsets and is read back as it went in", "[log][f:2.5]", fake_subject,
                   rocks_subject, kafka_subject) {
  TestType subject;
  auto& log = subject.log();
  CHECK(*append(log, {entry("a"), entry("b")}) == log_offset{0});
  CHECK(*append(log, {entry("c")}) == log_offset{2});
  CHECK(log.end(log_topic::raw, {}) == log_offset{3});
  auto tapped = entry(std::string("\0\xff\n", 3), -1);
  tapped.source = "0/2";
  tapped.writer = epoch{9};
  CHECK(*append(log, {tapped}, slot_id{3}, log_topic::scored) == log_offset{0});
  const auto back = *log.read(log_topic::scored, slot_id{3}, {}, 10, 1000);
  REQUIRE(back.size() == 1);
  CHECK(back[0].offset == log_offset{0});
  CHECK(back[0].entry.tenant == tenant_id{-1});
  CHECK(back[0].entry.key == tapped.key);
  CHECK(back[0].entry.value == tapped.value);
  CHECK(back[0].entry.traceparent == tapped.traceparent);
  CHECK(back[0].entry.source == "0/2");
  CHECK(back[0].entry.writer == epoch{9});
  CHECK(values(log) == list{"a", "b", "c"});
}

TEMPLATE_TEST_CASE("slots and topics do not meet", "[log]", fake_subject, rocks_subject, kafka_subject) {
  TestType subject;
  auto& log = subject.log();
  for (int s = 0; s < 4; ++s)
    for (int i = 0; i <= s; ++i)
      CHECK(*append(log, {entry(std::to_string(s))}, slot_id{s}) == log_offset{i});
  CHECK(*append(log, {entry("tap")}, slot_id{1}, log_topic::enriched) == log_offset{0});
  for (int s = 0; s < 4; ++s)
    CHECK(values(log, {}, slot_id{s}) == list(static_cast<std::size_t>(s + 1), std::to_string(s)));
  CHECK(append(log, {entry("x")}, slot_id{4}).err().code == ec::invalid);
  CHECK(log.read(log_topic::raw, slot_id{-1}, {}, 1, 1).err().code == ec::invalid);
}

TEMPLATE_TEST_CASE("a read is bounded by records and bytes and always gives one record", "[log]", fake_subject,
                   rocks_subject, kafka_subject) {
  TestType subject;
  auto& log = subject.log();
  std::vector<log_entry> entries;
  for (int i = 0; i < 10; ++i)
    entries.push_back(entry(std::string(1000, static_cast<char>('a' + i))));
  REQUIRE(append(log, entries).ok());
  CHECK(log.read(log_topic::raw, {}, {}, 3, 1 << 20)->size() == 3);
  CHECK(log.read(log_topic::raw, {}, {}, 0, 0)->size() == 1);
  const auto some = *log.read(log_topic::raw, {}, log_offset{4}, 100, 3500);
  CHECK(some.size() == 3);
  CHECK(some[0].offset == log_offset{4});
  CHECK(log.read(log_topic::raw, {}, log_offset{10}, 100, 1 << 20)->empty());
  CHECK(log.read(log_topic::raw, {}, log_offset{99}, 100, 1 << 20)->empty());
}

TEMPLATE_TEST_CASE("what is trimmed is gone, and the rest keeps its offsets", "[log]", fake_subject, rocks_subject,
                   kafka_subject) {
  TestType subject;
  for (int i = 0; i < 10; ++i)
    REQUIRE(append(subject.log(), {entry(std::to_string(i))}).ok());
  CHECK(subject.log().trim({}, log_offset{4}).ok());
  CHECK(subject.log().trim({}, log_offset{2}).ok());
  for (bool again : {false, true}) {
    if (again)
      subject.reopen();
    auto& log = subject.log();
    CHECK(log.begin(log_topic::raw, {}) == log_offset{4});
    CHECK(log.read(log_topic::raw, {}, log_offset{3}, 1, 1).err().code == ec::not_found);
    CHECK(values(log, log_offset{4}) == list{"4", "5", "6", "7", "8", "9"});
  }
  // Trimming everything, and beyond, never moves the end back.
  CHECK(subject.log().trim({}, log_offset{99}).ok());
  subject.reopen();
  CHECK(subject.log().begin(log_topic::raw, {}) == log_offset{10});
  CHECK(subject.log().end(log_topic::raw, {}) == log_offset{10});
  CHECK(*append(subject.log(), {entry("next")}) == log_offset{10});
}

TEMPLATE_TEST_CASE("a log opened anew is the same log", "[log][f:2.5]", fake_subject, rocks_subject, kafka_subject) {
  TestType subject;
  const auto generation = subject.log().generation();
  REQUIRE(append(subject.log(), {entry("a"), entry("b")}, slot_id{2}).ok());
  subject.reopen();
  CHECK(subject.log().generation() == generation);
  CHECK(subject.log().end(log_topic::raw, slot_id{2}) == log_offset{2});
  CHECK(*append(subject.log(), {entry("c")}, slot_id{2}) == log_offset{2});
  CHECK(values(subject.log(), {}, slot_id{2}) == list{"a", "b", "c"});
}

TEMPLATE_TEST_CASE("whoever waits for a slot is woken after its records are there", "[log]", fake_subject,
                   rocks_subject, kafka_subject) {
  TestType subject;
  auto& log = subject.log();
  std::promise<log_offset> woken;
  std::atomic<int> wakes = 0;
  log.on_appended(slot_id{1}, [&] {
    if (wakes++ == 0)
      woken.set_value(log.end(log_topic::raw, slot_id{1}));
  });
  REQUIRE(append(log, {entry("tap")}, slot_id{1}, log_topic::enriched).ok());
  REQUIRE(append(log, {entry("other")}, slot_id{2}).ok());
  CHECK(wakes == 0);
  REQUIRE(append(log, {entry("a"), entry("b")}, slot_id{1}).ok());
  auto future = woken.get_future();
  REQUIRE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
  CHECK(future.get() == log_offset{2});
  log.on_appended(slot_id{1}, nullptr);
}

// The disk of Kafka is its brokers'; what an append says when they are away stands in kafka_event_log_test.cpp.
TEMPLATE_TEST_CASE("a full disk refuses appends and hurts nothing", "[log][f:2.11]", fake_subject, rocks_subject) {
  TestType subject;
  REQUIRE(append(subject.log(), {entry("a")}).ok());
  subject.fill_disk(true);
  CHECK(append(subject.log(), {entry("b")}).err().code == ec::no_space);
  CHECK(append(subject.log(), {entry("b")}, {}, log_topic::scored).err().code == ec::no_space);
  CHECK(subject.log().healthy().err().code == ec::no_space);
  CHECK(values(subject.log()) == list{"a"});
  subject.fill_disk(false);
  CHECK(subject.log().healthy().ok());
  CHECK(*append(subject.log(), {entry("c")}) == log_offset{1});
}

TEMPLATE_TEST_CASE("appends from many threads keep each thread's order and stay whole", "[log]", fake_subject,
                   rocks_subject, kafka_subject) {
  TestType subject;
  auto& log = subject.log();
  constexpr int threads = 4;
  constexpr int appends = 200;
  std::atomic<int> answered = 0;
  std::mutex mutex;
  std::map<std::int64_t, std::string> firsts;
  std::vector<std::thread> workers;
  for (int t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      for (int i = 0; i < appends; ++i) {
        const auto name = std::to_string(t) + ":" + std::to_string(i);
        log.append(log_topic::raw, {}, {entry(name), entry(name)}, [&, name](result<log_offset> r) {
          const std::lock_guard lock(mutex);
          if (r)
            firsts[r->value] = name;
          ++answered;
        });
      }
    });
  for (auto& w : workers)
    w.join();
  REQUIRE(eventually([&] { return answered == threads * appends; }));
  const auto all = values(log);
  REQUIRE(all.size() == 2 * threads * appends);
  std::vector<int> next(threads);
  for (std::size_t i = 0; i < all.size(); i += 2) {
    REQUIRE(all[i] == all[i + 1]);
    REQUIRE(firsts.at(static_cast<std::int64_t>(i)) == all[i]);
    const auto t = static_cast<std::size_t>(all[i][0] - '0');
    REQUIRE(all[i].substr(2) == std::to_string(next[t]++));
  }
}
