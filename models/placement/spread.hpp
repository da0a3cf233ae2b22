// Which slot each tenant lives in when a log generation begins: the one moment at which that may change.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace pulse::placement {

struct tenant_load {
  tenant_id tenant;
  /// Measured, in any unit that all share; not negative.
  std::int64_t load = 0;
};

/// A slot for each, in the order of the arguments: the largest first, each into the slot that has least so far, ties by
/// fewest tenants and then by number (longest processing time first; R. L. Graham, 1969: at most 4/3 of the best).
/// Deterministic, whatever the order of the arguments. `slots` is at least 1.
std::vector<slot_id> spread(const std::vector<tenant_load>& tenants, int slots);

} // namespace pulse::placement
