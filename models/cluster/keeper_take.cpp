// Taking leases that are free and head here, the leader's lease, and the leader's rounds.
#include <algorithm>

#include "models/cluster/keeper.hpp"

namespace pulse::cluster {

bool keeper::is_mine(const lease_row& l) const {
  return l.holder == config_.self.id && l.incarnation == config_.self.incarnation;
}

bool keeper::anybody_else_takes(const view& v) const {
  return std::any_of(v.nodes.begin(), v.nodes.end(), [&](const node_row& n) {
    return n.id != config_.self.id && n.state == node_state::live && !n.drain_wanted && has_role(n, "slots") &&
           v.now.value - n.heartbeat.value <= config_.term_ms;
  });
}

void keeper::take(const view& v, std::int64_t now, std::vector<action>& out) {
  if (draining_ || is_pending(request_kind::take, now))
    return;
  std::vector<held_lease> wanted;
  for (const auto& row : v.leases) {
    if (leases_.contains(row.slot))
      continue;
    if (row.slot == leader_slot ? is_free(row) || is_out(row, v.now, config_.term_ms)
                                : is_free(row) && row.heading == config_.self.id)
      wanted.push_back({row.slot, row.epoch, 0, {}, row.silent ? row.expires : time_ms{}});
  }
  if (wanted.empty())
    return;
  const auto number = ask(request_kind::take, now, wanted);
  out.emplace_back(take_action{number, std::move(wanted)});
}

void keeper::on_taken(std::uint64_t request, const std::vector<held_lease>& taken, std::int64_t now,
                      std::vector<action>& out) {
  const auto r = answered(request, request_kind::take);
  if (!r || phase_ != phase::joined)
    return;
  for (const auto& t : taken) {
    const auto known = leases_.find(t.slot);
    const auto given_up = given_up_.find(t.slot);
    if ((given_up != given_up_.end() && given_up->second >= t.epoch) ||
        (known != leases_.end() && known->second.epoch > t.epoch))
      continue;
    const bool is_new = known == leases_.end() || known->second.epoch != t.epoch;
    auto& l = leases_[t.slot];
    if (is_new) {
      l = {t.epoch};
      // As the last holder measured it, until this one has.
      l.load = t.load;
    }
    l.until = std::max(l.until, r->sent + config_.term_ms - config_.guard_ms());
    if (!is_new)
      continue;
    if (t.slot == leader_slot) {
      out.emplace_back(lead_action{true, t.epoch});
      // Its first round.
      beat_at_ = now;
    } else {
      out.emplace_back(start_action{t.slot, t.epoch, t.taken_from});
    }
  }
  if (draining_)
    beat_at_ = now;
  tick(now, out);
}

bool keeper::leading(std::int64_t now) const {
  const auto it = leases_.find(leader_slot);
  return it != leases_.end() && it->second.phase == lease_phase::held && now < it->second.until;
}

/// No leader takes another's lease in the term after a gap of its own, or before it has looked on for a full term, as a
/// leader or not.
bool keeper::may_take(std::int64_t now) const {
  return now >= patient_until_;
}

std::set<slot_id> keeper::resting(std::int64_t now) const {
  std::set<slot_id> out;
  for (const auto& [slot, at] : moved_at_)
    if (now - at < config_.placement.rest_ms)
      out.insert(slot);
  return out;
}

void keeper::lead(const question& r, const view& v, std::int64_t now, std::vector<action>& out) {
  // What was seen before the last word was carried out may not show it yet.
  if (!leading(now) || is_pending(request_kind::place, now) || r.sent < placed_at_)
    return;
  auto assignments = assign(v, may_take(now), config_.term_ms, config_.placement, resting(now));
  // Nor a lease that it has not itself seen unchanged for a term: the database's clock may go back and forth between
  // two looks, and what was renewed in between then looks out.
  std::erase_if(assignments, [](const assignment& a) { return a.free && !a.silent; });
  if (assignments.empty())
    return;
  std::vector<held_lease> moved;
  for (const auto& a : assignments)
    if (!a.free && !a.from.value.empty() && a.from != a.to)
      moved.push_back({a.slot, a.epoch});
  const auto number = ask(request_kind::place, now, std::move(moved));
  out.emplace_back(place_action{number, leases_.at(leader_slot).epoch, std::move(assignments)});
}

void keeper::on_placed(std::uint64_t request, std::int64_t now, std::vector<action>& out) {
  const auto r = answered(request, request_kind::place);
  if (!r)
    return;
  for (const auto& moved : r->leases)
    moved_at_[moved.slot] = now;
  placed_at_ = now;
  beat_at_ = std::min(beat_at_, now);
  tick(now, out);
}

/// Something is changing hands, or should.
bool keeper::is_restless(const view& v) const {
  if (draining_ ||
      std::any_of(leases_.begin(), leases_.end(), [](const auto& l) { return l.second.phase != lease_phase::held; }))
    return true;
  return std::any_of(v.leases.begin(), v.leases.end(), [&](const lease_row& l) {
    return is_free(l) || is_out(l, v.now, config_.term_ms) ||
           (l.heading == config_.self.id && l.holder != config_.self.id);
  });
}

/// The next beat: a third of a term after the last, sooner while something changes hands or when a lease runs out that
/// this node would act upon.
void keeper::schedule(const view& v, std::int64_t sent, std::int64_t now) {
  beat_at_ = sent + (is_restless(v) ? config_.watch_ms() : config_.renew_ms());
  for (const auto& l : v.leases) {
    const auto left = l.expires.value - v.now.value;
    if (!is_free(l) && !is_mine(l) && left > 0 && (l.slot == leader_slot || leading(now)))
      beat_at_ = std::min(beat_at_, now + left + 10);
  }
  beat_at_ = std::max(beat_at_, now + 1);
}

} // namespace pulse::cluster
