// Checks an API key against key_cache and, where that says so, key_directory. One per process, shared by the I/O
// threads. Questions for one key that come together are asked once; a directory that does not answer counts as away.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "http/middleware/key_cache.hpp"
#include "ports/key_directory.hpp"

namespace pulse::http {

class key_gate : public std::enable_shared_from_this<key_gate> {
public:
  using checked = std::function<void(result<principal>)>;

  struct config {
    key_cache_config cache;
    /// A question without an answer for this long has failed.
    std::int64_t ask_timeout_ms = 900;
    /// Keys that may be asked for at once; more get `unavailable`.
    std::size_t asking_max = 10'000;
  };

  /// `directory` and `time` outlive the gate.
  key_gate(key_directory& directory, const clock& time, config c);

  /// `done` is called exactly once, inline when the cache knows, else on a thread of the directory or of `tick`.
  /// `unauthorized` for a key that is malformed, unknown, revoked or expired; `unavailable` when nobody can tell.
  void check(std::string_view presented, checked done);

  /// Ends questions that take too long; called every 100 ms or so.
  void tick();

  /// The key was revoked on this node: it is asked for anew at its next use.
  void forget(std::string_view key_id);

private:
  struct waiting {
    api_key key;
    checked done;
  };

  struct question {
    std::uint64_t number = 0;
    std::int64_t asked_ms = 0;
    std::vector<waiting> callers;
  };

  void answered(const std::string& key_id, std::uint64_t number, result<std::optional<key_record>> found);
  void tell(const key_cache::answer& known, std::vector<waiting> callers);

  key_directory& directory_;
  const clock& time_;
  config config_;
  std::mutex mutex_;
  key_cache cache_;
  std::uint64_t last_number_ = 0;
  std::unordered_map<std::string, question> questions_;
};

} // namespace pulse::http
