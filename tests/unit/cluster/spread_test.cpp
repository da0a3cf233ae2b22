// Tenants over the slots of a new log generation.
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <numeric>

#include "models/placement/spread.hpp"

using namespace pulse;
using placement::spread;
using placement::tenant_load;

namespace {

std::vector<std::int64_t> sums(const std::vector<tenant_load>& tenants, int slots) {
  const auto places = spread(tenants, slots);
  std::vector<std::int64_t> out(static_cast<std::size_t>(slots));
  for (std::size_t i = 0; i < tenants.size(); ++i)
    out[static_cast<std::size_t>(places[i].value)] += tenants[i].load;
  return out;
}

} // namespace

TEST_CASE("the busiest tenants of a new generation do not share a slot", "[placement][f:9.2]") {
  const std::vector<tenant_load> tenants = {{tenant_id{1}, 5},   {tenant_id{2}, 900}, {tenant_id{3}, 4},
                                            {tenant_id{4}, 800}, {tenant_id{5}, 0},   {tenant_id{6}, 700}};
  const auto loads = sums(tenants, 3);
  CHECK(std::accumulate(loads.begin(), loads.end(), std::int64_t{0}) == 2409);
  CHECK(*std::max_element(loads.begin(), loads.end()) == 900);
  CHECK(*std::min_element(loads.begin(), loads.end()) == 709);
}

TEST_CASE("tenants without load are spread by their number, whatever the order", "[placement][f:9.2]") {
  std::vector<tenant_load> tenants;
  for (int i = 0; i < 64; ++i)
    tenants.push_back({tenant_id{i + 1}, 0});
  auto places = spread(tenants, 16);
  for (int s = 0; s < 16; ++s)
    CHECK(std::count(places.begin(), places.end(), slot_id{s}) == 4);
  std::reverse(tenants.begin(), tenants.end());
  auto turned = spread(tenants, 16);
  std::reverse(turned.begin(), turned.end());
  CHECK(turned == places);
  CHECK(spread({}, 4).empty());
}
