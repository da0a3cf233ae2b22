// The windows of one tenant that its rules ask for, and nothing else. A pure fold over the log in chunks by entity, so
// it is imaged and replayed like the scorer's state (models/risk): the same events give the same bytes.
#pragma once

#include <array>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "models/rules/subject.hpp"
#include "models/rules/window.hpp"

namespace pulse::rules {

inline constexpr int window_chunk_count = 16;

struct window_image {
  int chunk = 0;
  log_offset as_of;
  /// Versioned, with a checksum.
  std::string bytes;
};

/// Of one chunk. What is over the limit loses the eighth that was updated longest ago (by log offset).
struct window_limits {
  std::size_t windows = 8'192;
  std::size_t entries = 65'536;
};

class window_store {
public:
  explicit window_store(window_limits limits = {});

  /// What is remembered from here on: other windows are dropped, new ones begin empty. Part of the fold: called when
  /// the record that puts a rule set in force is read, and after loading with the rule set in force.
  void keep_only(std::span<const input> inputs);

  /// A window's value for this event, itself included where it counts. Not known: the event names no such entity (or no
  /// amount's currency for sums), or is too late.
  value ask(const input& i, const subject& s) const;

  /// True when the answer is at least this much and may be more.
  bool saturated(const input& i, const subject& s) const;

  /// Moves the state by an event that is no test and no duplicate.
  void fold(const subject& s, log_offset at);

  /// Before the first event. Errors: `corrupt` with the reason.
  result<void> load(const window_image& image);
  std::vector<window_image> take_dirty_images(log_offset as_of);

  /// The image of the same chunk for another log: offsets in it are lower by so much, and it is as of `as_of`. Errors:
  /// `corrupt`.
  static result<window_image> rebased(const window_image& image, std::int64_t by, log_offset as_of);

  std::size_t size() const;

private:
  struct place {
    std::uint64_t spec = 0;
    features::key entity{};

    auto operator<=>(const place&) const = default;
  };

  struct place_hash {
    std::size_t operator()(const place& p) const noexcept;
  };

  struct kept {
    window state;
    log_offset updated;
  };

  struct chunk {
    std::unordered_map<place, kept, place_hash> windows;
    std::size_t entries = 0;
    bool dirty = false;

    void evict(const window_limits& limits);
    void write(binary::writer& out) const;
    bool read(binary::reader& in, std::uint16_t version);
    void lower_offsets(std::int64_t by);
  };

  window_answer answer(const input& i, const subject& s, bool& named) const;

  window_limits limits_;
  /// With their ids, sorted by these.
  std::vector<std::pair<std::uint64_t, window_spec>> specs_;
  std::array<chunk, window_chunk_count> chunks_;
};

} // namespace pulse::rules
