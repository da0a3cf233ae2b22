#include "models/cluster/room.hpp"

namespace pulse::cluster {

namespace {

double used(const node_row& n) {
  return n.load / (n.capacity > 0 ? n.capacity : 1);
}

bool takes_work(const node_row& n) {
  return n.state == node_state::live && !n.drain_wanted && has_role(n, "work");
}

} // namespace

node_id node_with_room(const view& seen, const node_id& self, const std::set<node_id>& linked) {
  const node_row* best = nullptr;
  for (const auto& n : seen.nodes)
    if (n.id == self && takes_work(n))
      best = &n;
  for (const auto& n : seen.nodes)
    if (n.id != self && linked.contains(n.id) && takes_work(n) && (best == nullptr || used(n) < used(*best)))
      best = &n;
  return best == nullptr ? self : best->id;
}

} // namespace pulse::cluster
