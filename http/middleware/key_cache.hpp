// What the gateway remembers of API keys, so that a request asks no database: a fresh answer for 4 s (a revoked key
// is refused within 5 s), an old one for 15 minutes while the directory is away, "no such key" for 2 s. Pure and
// bounded; key_gate asks the directory around it. Not thread-safe: the owner locks.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "http/middleware/api_key.hpp"
#include "http/middleware/message.hpp"

namespace pulse::http {

struct key_cache_config {
  /// An answer is asked for again after this; with the directory's time it bounds how long a revoked key lives.
  std::int64_t fresh_ms = 4 * second_ms;
  /// While the directory is away, a key that was checked within this time stays good.
  std::int64_t stale_ms = 15 * minute_ms;
  std::int64_t unknown_ms = 2 * second_ms;
  /// After a failed question the next one for the same key waits this long.
  std::int64_t backoff_ms = second_ms;
  std::size_t known_max = 100'000;
  std::size_t unknown_max = 10'000;
};

class key_cache {
public:
  enum class state : std::uint8_t {
    /// `record` may be used.
    known,
    /// There is no such key.
    unknown,
    /// The directory has to be asked.
    ask,
    /// The directory was away a moment ago and nothing usable is remembered.
    away,
  };

  struct answer {
    state what = state::ask;
    key_record record;
  };

  explicit key_cache(key_cache_config config = {}) :
    config_(config), known_(config.known_max), unknown_(config.unknown_max) {
  }

  answer look(std::string_view key_id, std::int64_t now_ms);

  /// The directory answered.
  void put(std::string_view key_id, const std::optional<key_record>& record, std::int64_t now_ms);

  /// The directory could not answer: what may be used instead, known or away.
  answer failed(std::string_view key_id, std::int64_t now_ms);

  /// At once, on this node: for a key that was revoked here.
  void forget(std::string_view key_id);

  std::size_t size() const {
    return known_.size() + unknown_.size();
  }

private:
  struct known_entry {
    key_record record;
    std::int64_t checked_ms = 0;
    std::int64_t ask_after_ms = 0;
  };

  struct unknown_entry {
    std::int64_t until_ms = 0;
    bool away = false;
  };

  /// Least recently used goes first. Known and unknown keys have one each, so that a flood of invented keys pushes
  /// out no real one.
  template <class Value>
  class lru {
  public:
    explicit lru(std::size_t max) : max_(max) {
    }

    Value* find(std::string_view key);
    void put(std::string_view key, Value value);
    void erase(std::string_view key);

    std::size_t size() const {
      return order_.size();
    }

  private:
    using list = std::list<std::pair<std::string, Value>>;

    std::size_t max_;
    list order_;
    /// Keys are views of the list's strings.
    std::unordered_map<std::string_view, typename list::iterator> index_;
  };

  key_cache_config config_;
  lru<known_entry> known_;
  lru<unknown_entry> unknown_;
};

/// Whether this record lets this key in at this time: hash (constant time), expiry, revocation. `unauthorized` with
/// the same words for each reason but expiry, so that an answer tells an attacker nothing.
result<principal> admit(const api_key& key, const key_record& record, time_ms now);

/// 403 unless the principal may use the route.
result<void> authorize(const principal& who, const route& r);

} // namespace pulse::http
