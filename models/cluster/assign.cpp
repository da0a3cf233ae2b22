// The leader's round: from what the database says to moves, by models/placement.
#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "models/cluster/types.hpp"

namespace pulse::cluster {

namespace {

placement::node_state state_of(const node_row& n, const view& v, bool may_take, std::int64_t term_ms) {
  if (n.state == node_state::left)
    return placement::node_state::dead;
  // From the future: the database's clock was set back. The next one mends it, or the silence that was seen does.
  if (v.now.value - n.heartbeat.value > term_ms)
    return may_take ? placement::node_state::dead : placement::node_state::silent;
  return n.state == node_state::draining || n.drain_wanted ? placement::node_state::draining
                                                           : placement::node_state::live;
}

} // namespace

bool has_role(const node_row& n, std::string_view role) {
  return std::find(n.roles.begin(), n.roles.end(), role) != n.roles.end();
}

std::vector<assignment> assign(const view& v, bool may_take, std::int64_t term_ms, const placement::settings& s,
                               const std::set<slot_id>& resting) {
  std::vector<placement::node> nodes;
  std::map<node_id, placement::node_state> states;
  for (const auto& n : v.nodes) {
    states[n.id] = state_of(n, v, may_take, term_ms);
    nodes.push_back({n.id, states[n.id], n.capacity, has_role(n, "slots")});
  }
  std::map<slot_id, const lease_row*> rows;
  std::vector<placement::slot> slots;
  for (const auto& l : v.leases) {
    if (l.slot == leader_slot)
      continue;
    rows[l.slot] = &l;
    const bool out = is_out(l, v.now, term_ms);
    const bool held = !is_free(l) && (!out || !may_take);
    // Of a node that is gone, but whose lease runs on: nobody's to give yet.
    const auto known = states.find(l.holder);
    if (held && (known == states.end() || known->second == placement::node_state::dead))
      continue;
    // What was on its way from a holder that is gone has to be freed first: it is planned anew.
    const bool moving = l.heading != l.holder && (held || is_free(l));
    slots.push_back({l.slot, l.load, l.holder, moving ? l.heading : node_id{}, held, resting.contains(l.slot)});
  }
  std::vector<assignment> out;
  for (auto& m : placement::plan(nodes, slots, s)) {
    const auto& l = *rows.at(m.slot);
    const bool free = !is_free(l) && may_take && is_out(l, v.now, term_ms);
    out.push_back({l.slot, l.epoch, l.expires, m.from, m.to, free, l.load, std::move(m.reason), l.silent});
    rows.erase(m.slot);
  }
  // What heads for a node that cannot take it, with nowhere better to go, stays.
  for (const auto& [slot, l] : rows) {
    if (is_free(*l) || l->heading.value.empty() || l->heading == l->holder)
      continue;
    const auto known = states.find(l->heading);
    if (known == states.end() || known->second != placement::node_state::live)
      out.push_back({slot, l->epoch, l->expires, l->holder, l->holder, false, l->load,
                     fmt::format("{} cannot take it now", l->heading.value)});
  }
  return out;
}

} // namespace pulse::cluster
