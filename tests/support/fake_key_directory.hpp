// Fake of the key directory: keys in memory, with knobs to be away or silent.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "ports/key_directory.hpp"

namespace pulse::test {

class fake_key_directory final : public key_directory {
public:
  std::atomic<bool> away{false};
  /// Keeps questions unanswered.
  std::atomic<bool> silent{false};
  std::atomic<int> asked{0};

  /// `key` is the whole key, of 52 characters.
  void add(std::string_view key, tenant_id tenant, scope_set scopes) {
    const std::lock_guard lock(mutex_);
    const auto id = static_cast<std::int64_t>(keys_.size() + 1);
    keys_[std::string(key.substr(0, 20))] =
        key_record{id, tenant, scopes, key.starts_with("pe_test_"), sha256(key), std::nullopt, std::nullopt};
  }

  void revoke(std::string_view key, time_ms at) {
    const std::lock_guard lock(mutex_);
    keys_.at(std::string(key.substr(0, 20))).revoked = at;
  }

  void find(std::string_view key_id, found done) override {
    ++asked;
    if (silent)
      return;
    if (away) {
      done(error{ec::unavailable, "the directory is away", ""});
      return;
    }
    std::optional<key_record> out;
    {
      const std::lock_guard lock(mutex_);
      if (const auto at = keys_.find(std::string(key_id)); at != keys_.end())
        out = at->second;
    }
    done(out);
  }

private:
  std::mutex mutex_;
  std::map<std::string, key_record> keys_;
};

} // namespace pulse::test
