// What the files that a training makes may hold: in a cluster, what every node reads (see cluster/formats.hpp).
#pragma once

#include <cstddef>

#include "models/features/features.hpp"

namespace pulse::scoring {

struct file_formats {
  bool floors;
  /// The first so many features.
  std::size_t columns;
};

inline constexpr file_formats newest_files{true, features::count};
/// Of the formats before.
inline constexpr file_formats last_files{false, 36};

} // namespace pulse::scoring
