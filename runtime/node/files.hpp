// The node's own files: the data directory's lock, secrets that are made once, small files for scripts.
#pragma once

#include <optional>
#include <string>

#include "base/error.hpp"
#include "base/time.hpp"

namespace pulse {

std::optional<std::string> read_file(const std::string& path);

/// Written beside and renamed, readable by the owner alone (0600).
result<void> write_private(const std::string& path, const std::string& content);

/// The file's content; made of 32 random bytes when it is not there.
result<std::string> read_or_make_token(const std::string& path, random_source& random);

/// Holds an exclusive lock on DIR/lock while it lives: one node per data directory, and proof that the last is dead.
class directory_lock {
public:
  /// Makes the directory. `conflict` when another process holds it.
  static result<directory_lock> take(const std::string& dir);

  directory_lock(directory_lock&& other) noexcept;
  directory_lock& operator=(directory_lock&&) = delete;
  ~directory_lock();

private:
  explicit directory_lock(int fd) : fd_(fd) {
  }

  int fd_;
};

} // namespace pulse
