// Which formats of files the nodes of a cluster may write. A node writes the newest ones once every node has been
// reading them for a day; until then it writes the last ones, so that nodes can be renewed one by one, and put back.
#pragma once

#include <cstdint>

#include "models/cluster/types.hpp"

namespace pulse::cluster {

/// Of what a training makes: 1: models without floors, on the first 36 features. 2: with floors, on 37.
inline constexpr std::int32_t newest_formats = 2;

/// After the last node of an older program was heard of.
inline constexpr std::int64_t formats_soak_ms = 24 * 3600 * 1000;

/// True when no node has been heard of for so long that reads less than `formats`.
bool all_read(const view& v, std::int32_t formats);

} // namespace pulse::cluster
