// What verbs that work on files share: reading and writing whole files, a progress line on a terminal, and how a
// failure ends (message on standard error, exit 1; CLI11's own errors are wrong use, exit 2).
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pulse::cli {

/// Prints `pulse: what` on standard error and throws CLI::RuntimeError(1).
[[noreturn]] void fail(std::string_view what);

/// `-` is standard input. Fails when it cannot be read.
std::string read_input(const std::string& path);

/// Written beside the target first and renamed, so that a crash leaves the old file or the new one.
void write_output(const std::string& path, std::string_view bytes);

/// Standard output; fails when it was closed.
void print(std::string_view text);

/// `label  42 %` on standard error, on a terminal only. Counts from any thread.
class progress {
public:
  progress(std::string label, std::size_t total);
  ~progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  void advance(std::size_t by = 1);

private:
  std::string label_;
  std::size_t total_;
  std::atomic<std::size_t> done_{0};
  std::atomic<int> shown_{-1};
  bool terminal_;
};

} // namespace pulse::cli
