// Port: where API keys are kept. The gateway's key_gate asks it and remembers the answers for seconds.
// Adapter: postgres/; fake: tests/support.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace pulse {

enum class scope : std::uint8_t {
  /// POST of events.
  ingest = 1,
  /// Every GET.
  read = 2,
  /// Everything that changes settings.
  admin = 4,
  /// Only Segment's routes: keys that stand in web pages.
  publishable = 8,
};

std::string_view to_string(scope s);
std::optional<scope> parse_scope(std::string_view name);

struct scope_set {
  std::uint8_t bits = 0;

  scope_set() = default;

  scope_set(std::initializer_list<scope> scopes) {
    for (auto s : scopes)
      add(s);
  }

  auto operator<=>(const scope_set&) const = default;

  void add(scope s) {
    bits = static_cast<std::uint8_t>(bits | static_cast<std::uint8_t>(s));
  }

  bool has(scope s) const {
    return (bits & static_cast<std::uint8_t>(s)) != 0;
  }
};

struct key_record {
  std::int64_t id = 0;
  tenant_id tenant;
  scope_set scopes;
  /// Made with `pe_test_`: events are checked and scored, never counted or alerted.
  bool test = false;
  /// SHA-256 of the whole key as the client sends it.
  digest sha256{};
  std::optional<time_ms> expires;
  std::optional<time_ms> revoked;
};

class key_directory {
public:
  using found = std::function<void(result<std::optional<key_record>>)>;

  virtual ~key_directory() = default;

  /// Looks a key up by its public part (`pe_live_` + 12 characters). Never blocks; `done` is called exactly once, on
  /// any thread, also inline. No such key: an empty optional. The store is away: `unavailable` or `timeout`.
  virtual void find(std::string_view key_id, found done) = 0;
};

} // namespace pulse
