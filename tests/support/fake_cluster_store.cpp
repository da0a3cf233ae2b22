#include "tests/support/fake_cluster_store.hpp"

#include <algorithm>

namespace pulse::test {

namespace {

/// Kept for reading back; the real one keeps more.
constexpr std::size_t history_max = 1000;

void free_lease(cluster::lease_row& l, bool by_holder) {
  if (l.heading == l.holder)
    l.heading = {};
  l.taken_from = by_holder ? std::string() : l.incarnation;
  l.holder = {};
  l.incarnation.clear();
}

} // namespace

bool fake_cluster_store::is_current(const node_run& me) const {
  const auto it = rows_.nodes.find(me.node);
  return it != rows_.nodes.end() && it->second.incarnation == me.incarnation;
}

cluster::lease_row* fake_cluster_store::held(const node_run& me, slot_id slot, pulse::epoch epoch) {
  const auto it = rows_.leases.find(slot);
  if (it == rows_.leases.end() || it->second.holder != me.node || it->second.incarnation != me.incarnation ||
      it->second.epoch != epoch)
    return nullptr;
  return &it->second;
}

result<cluster::view> fake_cluster_store::look() {
  cluster::view v{now_(), {}, {}};
  for (const auto& [id, n] : rows_.nodes)
    v.nodes.push_back(n);
  for (const auto& [slot, l] : rows_.leases)
    v.leases.push_back(l);
  return v;
}

result<void> fake_cluster_store::join(const cluster::node_row& self, const std::string& previous) {
  const auto it = rows_.nodes.find(self.id);
  if ((it == rows_.nodes.end() ? std::string() : it->second.incarnation) != previous)
    return error{ec::conflict, "another run of this node has joined meanwhile", ""};
  auto row = self;
  row.state = cluster::node_state::live;
  row.drain_wanted = false;
  row.load = 0;
  row.older_until = {};
  if (it != rows_.nodes.end())
    row.older_until = it->second.formats < self.formats ? it->second.heartbeat : it->second.older_until;
  row.heartbeat = now_();
  rows_.nodes[self.id] = row;
  for (std::int64_t i = -1; i < rows_.slots; ++i) {
    const slot_id slot{static_cast<std::int32_t>(i)};
    auto& l = rows_.leases[slot];
    l.slot = slot;
    if (l.holder == self.id && l.incarnation != self.incarnation)
      free_lease(l, false);
  }
  return {};
}

result<cluster::view> fake_cluster_store::beat(const node_run& me, cluster::node_state state, double load,
                                               const std::vector<cluster::held_lease>& leases) {
  if (!is_current(me))
    return error{ec::fenced, "a newer run of this node has joined", ""};
  auto& n = rows_.nodes.at(me.node);
  n.heartbeat = now_();
  n.state = state;
  n.load = load;
  for (const auto& asked : leases)
    if (auto* l = held(me, asked.slot, asked.epoch)) {
      l->expires = time_ms{now_().value + rows_.term_ms};
      l->load = asked.load;
    }
  return look();
}

result<std::vector<cluster::held_lease>> fake_cluster_store::take(const node_run& me,
                                                                  const std::vector<cluster::held_lease>& leases) {
  std::vector<cluster::held_lease> taken;
  if (!is_current(me))
    return taken;
  for (const auto& asked : leases) {
    const auto it = rows_.leases.find(asked.slot);
    if (it == rows_.leases.end() || it->second.epoch != asked.epoch)
      continue;
    auto& l = it->second;
    const bool may = asked.slot == cluster::leader_slot
                         ? is_free(l) || is_out(l, now_(), rows_.term_ms) || l.expires == asked.silent_end
                         : is_free(l) && l.heading == me.node;
    if (!may)
      continue;
    const auto seen = rows_.position_epoch && asked.slot != cluster::leader_slot ? rows_.position_epoch(asked.slot) : 0;
    if (!is_free(l))
      l.taken_from = l.incarnation;
    l.holder = l.heading = me.node;
    l.incarnation = me.incarnation;
    l.epoch = pulse::epoch{std::max(l.epoch.value, seen) + 1};
    l.expires = time_ms{now_().value + rows_.term_ms};
    taken.push_back({asked.slot, l.epoch, l.load, l.taken_from});
  }
  return taken;
}

result<void> fake_cluster_store::release(const node_run& me, slot_id slot, pulse::epoch epoch) {
  if (auto* l = held(me, slot, epoch))
    free_lease(*l, true);
  return {};
}

result<std::int64_t> fake_cluster_store::place(const node_run& me, pulse::epoch leader_epoch,
                                               const std::vector<cluster::assignment>& assignments) {
  if (held(me, cluster::leader_slot, leader_epoch) == nullptr)
    return error{ec::fenced, "another node leads", ""};
  std::int64_t done = 0;
  for (const auto& a : assignments) {
    const auto it = rows_.leases.find(a.slot);
    if (it == rows_.leases.end() || it->second.epoch != a.epoch)
      continue;
    auto& l = it->second;
    if (a.free) {
      if (is_free(l) || l.expires != a.expires || !(a.silent || is_out(l, now_(), rows_.term_ms)))
        continue;
      free_lease(l, false);
    }
    l.heading = a.to;
    rows_.history.push_front({now_(), a.slot, a.from, a.to, leader_epoch, me.node, a.load, a.reason});
    if (rows_.history.size() > history_max)
      rows_.history.pop_back();
    ++done;
  }
  return done;
}

result<void> fake_cluster_store::ask_drain(const node_id& node) {
  const auto it = rows_.nodes.find(node);
  if (it == rows_.nodes.end() || it->second.state == cluster::node_state::left)
    return error{ec::not_found, "there is no node " + node.value + ", or it has left", ""};
  it->second.drain_wanted = true;
  return {};
}

result<std::vector<past_move>> fake_cluster_store::history(std::int64_t max) {
  const auto n = std::min<std::size_t>(rows_.history.size(), static_cast<std::size_t>(max));
  return std::vector<past_move>(rows_.history.begin(), rows_.history.begin() + static_cast<std::ptrdiff_t>(n));
}

} // namespace pulse::test
