// Randomness for request ids and traces, drawn from a source in pieces of 1 KB per thread: a call of the system's
// source for each small id would be a tenth of what a request costs. Not for secrets.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "base/time.hpp"

namespace pulse::http {

class pooled_random final : public random_source {
public:
  /// `source` outlives this and may be called from any thread.
  explicit pooled_random(random_source& source) : source_(source) {
  }

  void fill(std::span<std::uint8_t> bytes) override {
    thread_local pool mine;
    // Another object's bytes must not answer for this one's source.
    if (mine.owner != this) {
      mine.owner = this;
      mine.used = mine.bytes.size();
    }
    if (bytes.size() > mine.bytes.size()) {
      source_.fill(bytes);
      return;
    }
    if (mine.bytes.size() - mine.used < bytes.size()) {
      source_.fill(mine.bytes);
      mine.used = 0;
    }
    std::memcpy(bytes.data(), mine.bytes.data() + mine.used, bytes.size());
    mine.used += bytes.size();
  }

private:
  struct pool {
    const pooled_random* owner = nullptr;
    std::array<std::uint8_t, 1024> bytes{};
    std::size_t used = 0;
  };

  random_source& source_;
};

} // namespace pulse::http
