// See verb_io.hpp.
#include "node/cli/verb_io.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

namespace pulse::cli {

namespace {

struct closer {
  void operator()(std::FILE* f) const {
    if (f != stdin)
      std::fclose(f);
  }
};

} // namespace

void fail(std::string_view what) {
  fmt::print(stderr, "pulse: {}\n", what);
  throw CLI::RuntimeError(1);
}

std::string read_input(const std::string& path) {
  const std::unique_ptr<std::FILE, closer> file(path == "-" ? stdin : std::fopen(path.c_str(), "rb"));
  if (!file)
    fail(fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  std::string out;
  char block[1 << 16];
  while (const auto n = std::fread(block, 1, sizeof block, file.get()))
    out.append(block, n);
  if (std::ferror(file.get()))
    fail(fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  return out;
}

void write_output(const std::string& path, std::string_view bytes) {
  const auto beside = fmt::format("{}.{}.tmp", path, ::getpid());
  std::FILE* file = std::fopen(beside.c_str(), "wb");
  if (file == nullptr)
    fail(fmt::format("{} cannot be written: {}", path, std::strerror(errno)));
  auto good = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  good = std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0 && good;
  good = std::fclose(file) == 0 && good;
  const auto reason = errno;
  std::error_code problem;
  if (good)
    std::filesystem::rename(beside, path, problem);
  if (!good || problem) {
    std::error_code ignored;
    std::filesystem::remove(beside, ignored);
    fail(fmt::format("{} cannot be written: {}", path, problem ? problem.message() : std::strerror(reason)));
  }
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    fail(fmt::format("standard output: {}", std::strerror(errno)));
}

progress::progress(std::string label, std::size_t total) :
  label_(std::move(label)), total_(total), terminal_(::isatty(2) != 0) {
}

progress::~progress() {
  if (terminal_ && shown_ >= 0)
    fmt::print(stderr, "\r\033[K");
}

void progress::advance(std::size_t by) {
  const auto done = done_ += by;
  if (!terminal_ || total_ == 0)
    return;
  const auto percent = static_cast<int>(100 * done / total_);
  if (shown_.exchange(percent) != percent)
    fmt::print(stderr, "\r{}  {} %", label_, percent);
}

} // namespace pulse::cli
