#include "models/cluster/formats.hpp"

#include <algorithm>

namespace pulse::cluster {

bool all_read(const view& v, std::int32_t formats) {
  return std::all_of(v.nodes.begin(), v.nodes.end(), [&](const node_row& n) {
    const auto heard_of = n.formats < formats ? n.heartbeat : n.older_until;
    return v.now.value - heard_of.value > formats_soak_ms;
  });
}

} // namespace pulse::cluster
