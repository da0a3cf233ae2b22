// What only the embedded log can show: group commit, limits, failing disks, and a process killed while it writes.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <rocksdb/env.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "event_log_subjects.hpp"

using namespace pulse;
using namespace pulse::testing;

namespace {

/// Makes fsync fail on demand for files of the write-ahead log.
class failing_env final : public rocksdb::EnvWrapper {
public:
  failing_env() : rocksdb::EnvWrapper(rocksdb::Env::Default()) {
  }

  rocksdb::Status NewWritableFile(const std::string& name, std::unique_ptr<rocksdb::WritableFile>* out,
                                  const rocksdb::EnvOptions& options) override {
    auto status = EnvWrapper::NewWritableFile(name, out, options);
    if (status.ok() && name.ends_with(".log"))
      *out = std::make_unique<file>(std::move(*out), *this);
    return status;
  }

  std::atomic<bool> failing = false;
  std::atomic<int> syncs = 0;

private:
  class file final : public rocksdb::WritableFileWrapper {
  public:
    file(std::unique_ptr<rocksdb::WritableFile> target, failing_env& env) :
      rocksdb::WritableFileWrapper(target.get()), target_(std::move(target)), env_(env) {
    }

    rocksdb::Status Sync() override {
      ++env_.syncs;
      return env_.failing ? rocksdb::Status::IOError("the disk is ill") : WritableFileWrapper::Sync();
    }

    rocksdb::Status Fsync() override {
      ++env_.syncs;
      return env_.failing ? rocksdb::Status::IOError("the disk is ill") : WritableFileWrapper::Fsync();
    }

  private:
    std::unique_ptr<rocksdb::WritableFile> target_;
    failing_env& env_;
  };
};

/// Appends without end, and writes each acknowledged value to the standard output. Ends by being killed.
[[noreturn]] void append_until_killed(const std::string& path) {
  rocks_log_settings settings;
  settings.path = path;
  settings.slots = 4;
  auto log = rocks_event_log::open(settings, time_ms{1'790'000'000'000});
  if (!log)
    _exit(3);
  std::mutex mutex;
  std::atomic<int> open = 0;
  for (int i = 0;; ++i) {
    while (open > 500)
      std::this_thread::yield();
    ++open;
    const auto name = std::to_string(i);
    (*log)->append(log_topic::raw, slot_id{i % 4}, {entry(name + std::string(300, '.')), entry(name)},
                   [&, i](result<log_offset> r) {
                     const std::lock_guard lock(mutex);
                     --open;
                     const auto line = std::to_string(i) + " " + std::to_string(r ? r->value : -1) + "\n";
                     if (r && write(STDOUT_FILENO, line.data(), line.size()) < 0)
                       _exit(4);
                   });
  }
}

/// (number, offset) of every whole line.
std::vector<std::pair<int, std::int64_t>> lines_of(const std::string& text) {
  std::vector<std::pair<int, std::int64_t>> out;
  for (std::size_t from = 0, stop = 0; (stop = text.find('\n', from)) != std::string::npos; from = stop + 1) {
    const auto line = text.substr(from, stop - from);
    const auto blank = line.find(' ');
    out.emplace_back(std::stoi(line.substr(0, blank)), std::stoll(line.substr(blank + 1)));
  }
  return out;
}

/// Runs append_until_killed in a process of its own, kills it after some answers, and gives what it had answered.
std::vector<std::pair<int, std::int64_t>> kill_a_writer(const std::string& path, std::size_t after_bytes) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    setenv("PULSE_TEST_LOG", path.c_str(), 1);
    execl("/proc/self/exe", "test_integration", "the child that appends until it is killed",
          static_cast<char*>(nullptr));
    _exit(5);
  }
  close(ends[1]);
  std::string text;
  char buffer[4096];
  ssize_t n = 0;
  bool killed = false;
  while ((n = ::read(ends[0], buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(n));
    if (!killed && text.size() >= after_bytes) {
      kill(child, SIGKILL);
      killed = true;
    }
  }
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  // The child's test runner may have said a word before the first answer.
  const auto first = text.find("0 0\n");
  return lines_of(first == std::string::npos ? text : text.substr(first));
}

} // namespace

TEST_CASE("the child that appends until it is killed", "[.child]") {
  const auto* path = std::getenv("PULSE_TEST_LOG");
  REQUIRE(path != nullptr);
  append_until_killed(path);
}

TEST_CASE("every record acknowledged before kill -9 is there afterwards, in its place", "[log][f:2.5][f:2.8]") {
  scratch_directory directory;
  rocks_log_settings settings;
  settings.path = directory.path() + "/log";
  settings.slots = 4;
  for (std::size_t round = 1; round <= 3; ++round) {
    std::filesystem::remove_all(settings.path);
    const auto answered = kill_a_writer(settings.path, 5000 * round);
    REQUIRE(answered.size() > 100);
    auto log = rocks_event_log::open(settings, time_ms{1});
    REQUIRE(log.ok());
    CHECK((*log)->generation() == log_generation{1'790'000'000'000});
    for (const auto& [i, offset] : answered) {
      const auto back = (*log)->read(log_topic::raw, slot_id{i % 4}, log_offset{offset}, 2, 1 << 20);
      REQUIRE(back.ok());
      REQUIRE(back->size() == 2);
      REQUIRE((*back)[1].entry.value == std::to_string(i));
    }
    // Whatever else is there is whole and without gaps.
    for (int s = 0; s < 4; ++s) {
      const auto all = values(**log, {}, slot_id{s});
      CHECK(static_cast<std::int64_t>(all.size()) == (*log)->end(log_topic::raw, slot_id{s}).value);
      CHECK(all.size() % 2 == 0);
    }
  }
}

TEST_CASE("appends that wait together share one sync", "[log]") {
  rocks_subject subject;
  std::promise<void> blocked;
  auto gate = blocked.get_future().share();
  std::atomic<int> answered = 0;
  auto& log = subject.rocks();
  log.append(log_topic::raw, {}, {entry("first")}, [gate](result<log_offset>) { gate.wait(); });
  REQUIRE(eventually([&] { return log.stats().syncs > 0; }));
  for (int i = 0; i < 100; ++i)
    log.append(log_topic::raw, slot_id{i % 4}, {entry("x")}, [&](result<log_offset> r) { answered += r ? 1 : 0; });
  blocked.set_value();
  REQUIRE(eventually([&] { return answered >= 100; }));
  CHECK(log.stats().syncs == 2);
  CHECK(log.stats().entries == 101);
}

TEST_CASE("raw is synced before it is acknowledged, a tap is not", "[log][f:2.5]") {
  failing_env env;
  rocks_subject subject;
  subject.hooks.env = &env;
  subject.reopen();
  const int before = env.syncs;
  REQUIRE(append(subject.log(), {entry("tap")}, {}, log_topic::scored).ok());
  CHECK(env.syncs == before);
  REQUIRE(append(subject.log(), {entry("raw")}).ok());
  CHECK(env.syncs == before + 1);
  subject.close();
}

TEST_CASE("a full queue refuses, in order, and admits one append whatever its size", "[log][f:2.11]") {
  rocks_subject subject;
  subject.settings.queue_bytes_max = 1000;
  subject.reopen();
  std::promise<void> blocked;
  auto gate = blocked.get_future().share();
  auto& log = subject.rocks();
  CHECK(append(log, {entry(std::string(5000, 'x'))}).ok());
  log.append(log_topic::raw, {}, {entry("first")}, [gate](result<log_offset>) { gate.wait(); });
  REQUIRE(eventually([&] { return log.stats().syncs >= 2; }));
  std::atomic<int> taken = 0;
  std::atomic<int> refused = 0;
  for (int i = 0; i < 10; ++i)
    log.append(log_topic::raw, {}, {entry(std::string(300, 'x'))}, [&](result<log_offset> r) {
      ++(r ? taken : refused);
      CHECK((r || r.err().code == ec::unavailable));
    });
  blocked.set_value();
  REQUIRE(eventually([&] { return taken + refused >= 10; }));
  CHECK(taken == 2);
  CHECK(log.stats().queue_bytes == 0);
  CHECK(append(log, {entry("later")}).ok());
}

TEST_CASE("after a failed fsync nothing is taken until the log is opened anew", "[log][f:2.11]") {
  failing_env env;
  rocks_subject subject;
  subject.hooks.env = &env;
  subject.reopen();
  REQUIRE(append(subject.log(), {entry("a")}).ok());
  env.failing = true;
  CHECK(append(subject.log(), {entry("b")}).err().code == ec::unavailable);
  env.failing = false;
  CHECK(append(subject.log(), {entry("c")}).err().code == ec::unavailable);
  CHECK_FALSE(subject.log().healthy().ok());
  CHECK(values(subject.log()) == std::vector<std::string>{"a"});
  subject.reopen();
  CHECK(append(subject.log(), {entry("d")}).ok());
  const auto all = values(subject.log());
  CHECK(all.front() == "a");
  CHECK(all.back() == "d");
  CHECK(std::find(all.begin(), all.end(), "c") == all.end());
  subject.close();
}

TEST_CASE("a tap keeps about its bytes and the newest records", "[log]") {
  rocks_subject subject;
  subject.settings.tap_bytes_max = 20'000;
  subject.reopen();
  for (int i = 0; i < 200; ++i)
    REQUIRE(append(subject.log(), {entry(std::to_string(i) + std::string(900, '.'))}, {}, log_topic::enriched).ok());
  auto& log = subject.log();
  const auto begin = log.begin(log_topic::enriched, {});
  CHECK(begin.value > 150);
  CHECK(log.end(log_topic::enriched, {}) == log_offset{200});
  CHECK(values(log, begin, {}, log_topic::enriched).size() == static_cast<std::size_t>(200 - begin.value));
  subject.reopen();
  CHECK(subject.log().begin(log_topic::enriched, {}) == begin);
}

TEST_CASE("a log can't be opened twice, nor with another number of slots", "[log]") {
  rocks_subject subject;
  CHECK(rocks_event_log::open(subject.settings, {}, subject.hooks).err().code == ec::conflict);
  subject.close();
  auto other = subject.settings;
  other.slots = 8;
  CHECK(rocks_event_log::open(other, {}, subject.hooks).err().code == ec::invalid);
  other.slots = 0;
  CHECK(rocks_event_log::open(other, {}, subject.hooks).err().pointer == "slots");
  subject.reopen();
}

TEST_CASE("what waits when the log is closed is written first", "[log]") {
  rocks_subject subject;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 50; ++i)
    subject.log().append(log_topic::raw, {}, {entry("x")}, [&](result<log_offset> r) { answered += r ? 1 : 0; });
  subject.close();
  CHECK(answered == 50);
  subject.reopen();
  CHECK(values(subject.log()).size() == 50);
}
