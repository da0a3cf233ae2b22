// Children whose score is a running hash: one event lost, folded twice or folded out of order changes every later
// score.
#pragma once

#include <stdexcept>
#include <utility>

#include "tests/support/slot_world.hpp"

namespace pulse::test {

inline constexpr int hashing_chunks = 4;

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  a ^= b + 0x9e3779b97f4a7c15ULL + (a << 6U) + (a >> 2U);
  return a * 0xff51afd7ed558ccdULL;
}

/// Keeps a running hash a chunk; an item's score is its chunk's hash after it. `without_as_of` takes the guard out.
class hashing_child final : public child {
public:
  hashing_child(const std::map<std::int32_t, slot::chunk_image>& images, bool without_as_of) :
    without_as_of_(without_as_of) {
    for (const auto& [chunk, image] : images) {
      state_[chunk] = std::stoull(image.bytes);
      as_of_[chunk] = image.as_of.value;
    }
  }

  slot::part_result work(const slot::part& p) override {
    slot::part_result r;
    for (const auto& it : p.items) {
      if (it.value->starts_with("poison"))
        throw std::runtime_error("cannot digest this");
      const auto h = std::hash<std::string>{}(*it.value);
      const auto chunk = static_cast<std::int32_t>(h % hashing_chunks);
      if (without_as_of_ || it.offset.value > as_of_[chunk]) {
        state_[chunk] = mix(state_[chunk], h);
        as_of_[chunk] = it.offset.value;
        dirty_.insert(chunk);
      }
      if (p.replay)
        continue;
      slot::processed done;
      done.event.message_id = *it.value;
      done.event.risk.score = static_cast<double>(state_[chunk] >> 12U);
      r.results.push_back(std::move(done));
    }
    // Not all chunks at once: each then has an as_of of its own.
    if (p.take_images)
      for (auto chunk : std::exchange(dirty_, {}))
        r.images.push_back({chunk, log_offset{as_of_[chunk]}, std::to_string(state_[chunk])});
    return r;
  }

private:
  bool without_as_of_;
  std::map<std::int32_t, std::uint64_t> state_;
  std::map<std::int32_t, std::int64_t> as_of_ = {{0, -1}, {1, -1}, {2, -1}, {3, -1}};
  std::set<std::int32_t> dirty_;
};

} // namespace pulse::test
