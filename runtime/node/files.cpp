#include "node/files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <sys/file.h>
#include <unistd.h>

#include "base/encoding.hpp"

namespace pulse {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return std::nullopt;
  std::ostringstream out;
  out << in.rdbuf();
  return std::move(out).str();
}

result<void> write_private(const std::string& path, const std::string& content) {
  const auto part = path + ".part";
  ::unlink(part.c_str());
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const auto fail = [&](const char* what) {
    return error{ec::unavailable, fmt::format("{} {}: {}", what, path, std::strerror(errno)), ""};
  };
  if (fd < 0)
    return fail("cannot write");
  const bool written = ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
  const bool closed = ::close(fd) == 0;
  if (!written || !closed || ::rename(part.c_str(), path.c_str()) != 0)
    return fail("cannot write");
  return {};
}

result<std::string> read_or_make_token(const std::string& path, random_source& random) {
  if (auto found = read_file(path)) {
    while (!found->empty() && found->back() == '\n')
      found->pop_back();
    if (!found->empty())
      return *found;
  }
  std::array<std::uint8_t, 32> bytes{};
  random.fill(bytes);
  auto token = to_hex(bytes);
  if (auto ok = write_private(path, token + "\n"); !ok)
    return ok.err();
  return token;
}

result<directory_lock> directory_lock::take(const std::string& dir) {
  std::error_code problem;
  std::filesystem::create_directories(dir, problem);
  const auto path = dir + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return error{ec::unavailable,
                 fmt::format("cannot open {}: {}; set PULSE_DATA_DIR to a directory you may write to", path,
                             std::strerror(errno)),
                 ""};
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return error{ec::conflict, fmt::format("{} is in use by another pulse; stop it, or set PULSE_DATA_DIR", dir), ""};
  }
  return directory_lock(fd);
}

directory_lock::directory_lock(directory_lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {
}

directory_lock::~directory_lock() {
  if (fd_ >= 0)
    ::close(fd_);
}

} // namespace pulse
