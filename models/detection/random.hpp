// The portable source of chance for fitting: the same seed gives the same trees on any machine and for any number
// of threads, because every tree has a stream of its own. Not for secrets.
#pragma once

#include <array>
#include <cstdint>

namespace pulse::detection {

/// SplitMix64 (Steele, Lea, Flood 2014): turns any number into a well-mixed one.
constexpr std::uint64_t splitmix64(std::uint64_t& state) {
  state += 0x9e3779b97f4a7c15ULL;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// xoshiro256** 1.0 (Blackman, Vigna 2018).
class random_stream {
public:
  /// `stream` tells streams of one seed apart.
  random_stream(std::uint64_t seed, std::uint64_t stream) {
    std::uint64_t mixed = seed;
    mixed = splitmix64(mixed) ^ (stream * 0xd1342543de82ef95ULL);
    for (auto& s : state_)
      s = splitmix64(mixed);
  }

  std::uint64_t next() {
    const auto rotl = [](std::uint64_t x, int k) {
      return (x << k) | (x >> (64 - k));
    };
    const auto out = rotl(state_[1] * 5, 7) * 9;
    const auto t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotl(state_[3], 45);
    return out;
  }

  /// In [0, 1), 53 bits.
  double uniform() {
    return static_cast<double>(next() >> 11) * 0x1.0p-53;
  }

  /// In [0, bound); bound up to 2^32. The bias is below 2^-32.
  std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }

private:
  std::array<std::uint64_t, 4> state_{};
};

} // namespace pulse::detection
