// Where a piece of work that any node can do is done.
#pragma once

#include <set>

#include "models/cluster/types.hpp"

namespace pulse::cluster {

/// Of `self` and the nodes that it is linked with, the one with the least load for its capacity that takes work and
/// stays; `self` where none has less.
node_id node_with_room(const view& seen, const node_id& self, const std::set<node_id>& linked);

} // namespace pulse::cluster
