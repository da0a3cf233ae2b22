#include "models/placement/spread.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "base/assert.hpp"

namespace pulse::placement {

std::vector<slot_id> spread(const std::vector<tenant_load>& tenants, int slots) {
  PULSE_ASSERT(slots >= 1, "tenants need a slot");
  std::vector<std::size_t> order(tenants.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tuple(-tenants[a].load, tenants[a].tenant) < std::tuple(-tenants[b].load, tenants[b].tenant);
  });
  // Load, tenants, slot.
  std::set<std::tuple<std::int64_t, std::int64_t, int>> least;
  for (int s = 0; s < slots; ++s)
    least.emplace(0, 0, s);
  std::vector<slot_id> out(tenants.size());
  for (const auto i : order) {
    const auto [load, count, slot] = *least.begin();
    least.erase(least.begin());
    out[i] = slot_id{slot};
    least.emplace(load + tenants[i].load, count + 1, slot);
  }
  return out;
}

} // namespace pulse::placement
