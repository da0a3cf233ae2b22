// The node's side: joining, beating, renewing, and what a drain asks for. Taking and leading is in keeper_take.cpp.
#include "models/cluster/keeper.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace pulse::cluster {

std::vector<std::string> keeper_config::validate() const {
  auto out = placement.validate();
  if (self.id.value.empty() || self.id.value.size() > 64)
    out.emplace_back("node.id has to have 1 to 64 characters");
  if (self.incarnation.empty())
    out.emplace_back("a run of a node has to have a name");
  if (!(self.capacity > 0))
    out.emplace_back("node.capacity has to be above 0");
  if (term_ms < 600 || term_ms > 600'000)
    out.emplace_back("term_ms has to be from 600 to 600000");
  if (handoff_ms_max < 0 || handoff_ms_max > 600'000)
    out.emplace_back("handoff_ms_max has to be from 0 to 600000");
  return out;
}

keeper::keeper(keeper_config config) : config_(std::move(config)) {
  PULSE_ASSERT(config_.validate().empty(), "a keeper's settings are validated before");
}

std::uint64_t keeper::ask(request_kind kind, std::int64_t now, std::vector<held_lease> leases) {
  const auto number = next_request_++;
  pending_.emplace(number, question{kind, now, std::move(leases)});
  return number;
}

std::optional<keeper::question> keeper::answered(std::uint64_t number, request_kind kind) {
  const auto it = pending_.find(number);
  // Answered twice, or by something that was sent to another.
  if (it == pending_.end() || it->second.kind != kind)
    return std::nullopt;
  auto r = std::move(it->second);
  pending_.erase(it);
  return r;
}

/// Waited for: an answer may still come later, and is taken then.
bool keeper::is_pending(request_kind kind, std::int64_t now) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](const auto& p) {
    return p.second.kind == kind && now - p.second.sent <= config_.answer_ms_max();
  });
}

void keeper::start(std::int64_t now, std::vector<action>& out) {
  patient_until_ = now + config_.term_ms;
  tick(now, out);
}

/// The last run's row stands in the way until it is known to be dead, or has been silent for a term.
void keeper::join(const view& v, std::int64_t now, std::vector<action>& out) {
  const auto mine =
      std::find_if(v.nodes.begin(), v.nodes.end(), [&](const auto& n) { return n.id == config_.self.id; });
  const bool there = mine != v.nodes.end();
  if (there && mine->incarnation == config_.self.incarnation) {
    // The answer to the join was lost.
    phase_ = phase::joined;
    beat(now, out);
    return;
  }
  const bool dead = there && std::find(config_.dead_runs.begin(), config_.dead_runs.end(), mine->incarnation) !=
                                 config_.dead_runs.end();
  if (there && !dead && mine->state != node_state::left && v.now.value - mine->heartbeat.value <= config_.term_ms) {
    beat_at_ = now + config_.watch_ms();
    return;
  }
  phase_ = phase::joining;
  out.emplace_back(join_action{ask(request_kind::join, now), config_.self, there ? mine->incarnation : std::string()});
  beat_at_ = now + config_.answer_ms_max();
}

void keeper::on_joined(std::uint64_t request, std::int64_t now, std::vector<action>& out) {
  if (!answered(request, request_kind::join) || phase_ == phase::superseded)
    return;
  phase_ = phase::joined;
  beat(now, out);
}

void keeper::beat(std::int64_t now, std::vector<action>& out) {
  std::vector<held_lease> renewed;
  double load = 0;
  for (auto& [slot, l] : leases_) {
    if (const auto known = loads_.find(slot); known != loads_.end())
      l.load = known->second;
    load += l.load;
    // What is being given up is not held on to.
    if (l.phase != lease_phase::releasing)
      renewed.push_back({slot, l.epoch, l.load});
  }
  beat_request_ = ask(request_kind::beat, now, renewed);
  const bool leaving = draining_ && leases_.empty() && !is_pending(request_kind::take, now);
  pending_.at(beat_request_).leaving = leaving;
  const auto state = leaving ? node_state::left : draining_ ? node_state::draining : node_state::live;
  out.emplace_back(beat_action{beat_request_, state, load, std::move(renewed)});
  beat_at_ = now + config_.answer_ms_max();
}

void keeper::on_view(std::uint64_t request, const view& v, std::int64_t now, std::vector<action>& out) {
  if (phase_ == phase::superseded || phase_ == phase::left)
    return;
  if (const auto looked = answered(request, request_kind::look)) {
    auto seen = v;
    silence_.age(seen, looked->sent, now, config_.term_ms);
    if (phase_ == phase::looking)
      join(seen, now, out);
    return;
  }
  const auto r = answered(request, request_kind::beat);
  if (!r)
    return;
  renew(*r, v, out);
  // An older answer still renews what was asked for, and tells nothing else any more.
  if (request < view_request_)
    return;
  view_request_ = request;
  note_gap(*r, v, now);
  view_ = v;
  silence_.age(*view_, r->sent, now, config_.term_ms);
  view_sent_ = r->sent;
  view_at_ = now;
  adopt(*view_, out);
  hand_over(*view_, now, out);
  take(*view_, now, out);
  lead(*r, *view_, now, out);
  if (r->leaving && leases_.empty()) {
    phase_ = phase::left;
    out.emplace_back(drained_action{});
    return;
  }
  if (request == beat_request_)
    schedule(*view_, r->sent, now);
}

/// A gap: for longer than one and a half renewals nothing was seen, or the database's clock jumped. Others may have
/// lost their leases by the same cause, and get a full term to renew them.
void keeper::note_gap(const question& r, const view& v, std::int64_t now) {
  if (!view_) {
    patient_until_ = now + config_.term_ms;
    return;
  }
  const auto passed_max = now - view_sent_;
  const auto passed_min = r.sent - view_at_;
  const auto passed_there = v.now.value - view_->now.value;
  const bool late = passed_max > config_.renew_ms() * 3 / 2;
  const bool jumped = passed_there > passed_max + config_.guard_ms() || passed_there < passed_min - config_.guard_ms();
  if (late || jumped)
    patient_until_ = now + config_.term_ms;
}

/// A lease that was asked for is renewed from the request's sending on, or is gone for good under this epoch.
void keeper::renew(const question& r, const view& v, std::vector<action>& out) {
  for (const auto& asked : r.leases) {
    const auto it = leases_.find(asked.slot);
    if (it == leases_.end() || it->second.epoch != asked.epoch || it->second.phase == lease_phase::releasing)
      continue;
    const auto row =
        std::find_if(v.leases.begin(), v.leases.end(), [&](const auto& l) { return l.slot == asked.slot; });
    if (row != v.leases.end() && is_mine(*row) && row->epoch == asked.epoch) {
      it->second.until = std::max(it->second.until, r.sent + config_.term_ms - config_.guard_ms());
      continue;
    }
    const auto lost = it->second;
    leases_.erase(it);
    lose(asked.slot, lost, out);
  }
}

void keeper::lose(slot_id slot, const lease& l, std::vector<action>& out) {
  auto& last = given_up_[slot];
  last = std::max(last, l.epoch);
  loads_.erase(slot);
  if (slot == leader_slot)
    out.emplace_back(lead_action{false, l.epoch});
  else
    out.emplace_back(stop_action{slot, l.epoch, false});
}

/// Leases that this run holds and does not know of: the answer to a take was lost, or came late. Without a renewal of
/// its own such a lease allows nothing yet.
void keeper::adopt(const view& v, std::vector<action>& out) {
  for (const auto& row : v.leases) {
    if (!is_mine(row))
      continue;
    const auto known = leases_.find(row.slot);
    const auto given_up = given_up_.find(row.slot);
    if ((known != leases_.end() && known->second.epoch >= row.epoch) ||
        (given_up != given_up_.end() && given_up->second >= row.epoch))
      continue;
    leases_[row.slot] = {row.epoch};
    leases_[row.slot].load = row.load;
    out.emplace_back(row.slot == leader_slot ? action{lead_action{true, row.epoch}}
                                             : action{start_action{row.slot, row.epoch, row.taken_from}});
  }
  // What is being released is gone when the row says so, whether the release was answered or not.
  std::erase_if(leases_, [&](const auto& held) {
    if (held.second.phase != lease_phase::releasing)
      return false;
    const auto row =
        std::find_if(v.leases.begin(), v.leases.end(), [&](const auto& l) { return l.slot == held.first; });
    return row != v.leases.end() && (!is_mine(*row) || row->epoch > held.second.epoch);
  });
}

void keeper::hand_over(const view& v, std::int64_t now, std::vector<action>& out) {
  for (const auto& n : v.nodes)
    if (n.id == config_.self.id && n.incarnation == config_.self.incarnation && n.drain_wanted)
      draining_ = true;
  const bool alone = draining_ && !anybody_else_takes(v);
  for (const auto& row : v.leases) {
    const auto it = leases_.find(row.slot);
    if (row.slot == leader_slot || it == leases_.end() || it->second.phase != lease_phase::held)
      continue;
    const bool elsewhere =
        row.epoch == it->second.epoch && !row.heading.value.empty() && row.heading != config_.self.id;
    if (elsewhere || alone)
      stop_gently(row.slot, it->second, now, out);
  }
  leave(now, out);
}

/// Leadership goes last: until then this node still gives its own slots away.
void keeper::leave(std::int64_t now, std::vector<action>& out) {
  if (!draining_ || leases_.size() != 1 || leases_.begin()->first != leader_slot)
    return;
  auto& l = leases_.begin()->second;
  if (l.phase == lease_phase::releasing)
    return;
  out.emplace_back(lead_action{false, l.epoch});
  release(leader_slot, l, now, out);
}

void keeper::stop_gently(slot_id slot, lease& l, std::int64_t now, std::vector<action>& out) {
  l.phase = lease_phase::stopping;
  l.stop_by = now + config_.handoff_ms_max;
  out.emplace_back(stop_action{slot, l.epoch, true});
}

void keeper::release(slot_id slot, lease& l, std::int64_t now, std::vector<action>& out) {
  auto& last = given_up_[slot];
  last = std::max(last, l.epoch);
  loads_.erase(slot);
  l.phase = lease_phase::releasing;
  l.until = 0;
  l.release_at = now + config_.answer_ms_max();
  out.emplace_back(release_action{ask(request_kind::release, now, {{slot, l.epoch}}), slot, l.epoch});
}

void keeper::on_stopped(slot_id slot, pulse::epoch epoch, std::int64_t now, std::vector<action>& out) {
  const auto it = leases_.find(slot);
  if (it == leases_.end() || it->second.epoch != epoch || it->second.phase != lease_phase::stopping)
    return;
  release(slot, it->second, now, out);
}

void keeper::on_fenced(slot_id slot, pulse::epoch epoch, std::int64_t now, std::vector<action>& out) {
  const auto it = leases_.find(slot);
  if (it == leases_.end() || it->second.epoch != epoch || it->second.phase == lease_phase::releasing)
    return;
  out.emplace_back(stop_action{slot, epoch, false});
  release(slot, it->second, now, out);
}

void keeper::on_released(std::uint64_t request, std::int64_t now, std::vector<action>& out) {
  const auto r = answered(request, request_kind::release);
  if (!r)
    return;
  const auto it = leases_.find(r->leases.front().slot);
  if (it == leases_.end() || it->second.epoch != r->leases.front().epoch)
    return;
  leases_.erase(it);
  leave(now, out);
  if (draining_ && leases_.empty())
    on_hint(now, out);
}

void keeper::on_failed(std::uint64_t request, const error& why, std::int64_t now, std::vector<action>& out) {
  const auto it = pending_.find(request);
  if (it == pending_.end())
    return;
  const auto r = std::move(it->second);
  pending_.erase(it);
  if (r.kind == request_kind::beat && why.code == ec::fenced && phase_ != phase::superseded) {
    phase_ = phase::superseded;
    for (const auto& [slot, l] : std::exchange(leases_, {}))
      lose(slot, l, out);
    out.emplace_back(superseded_action{});
    return;
  }
  if (r.kind == request_kind::join)
    phase_ = phase_ == phase::joining ? phase::looking : phase_;
  if (r.kind == request_kind::beat || r.kind == request_kind::look || r.kind == request_kind::join)
    beat_at_ = std::min(beat_at_, now + config_.term_ms / 10);
}

void keeper::on_hint(std::int64_t now, std::vector<action>& out) {
  // Answers of the last tenth of a watch are as good as new.
  if (phase_ == phase::joined && now - view_sent_ > config_.watch_ms() / 10)
    beat_at_ = std::min(beat_at_, now);
  tick(now, out);
}

void keeper::drain(std::int64_t now, std::vector<action>& out) {
  draining_ = true;
  if (phase_ == phase::looking || phase_ == phase::joining) {
    phase_ = phase::left;
    out.emplace_back(drained_action{});
    return;
  }
  on_hint(now, out);
}

void keeper::tick(std::int64_t now, std::vector<action>& out) {
  if (phase_ == phase::superseded || phase_ == phase::left)
    return;
  // An answer this late is as good as none.
  std::erase_if(pending_, [&](const auto& p) { return now - p.second.sent > 2 * config_.term_ms; });
  for (auto& [slot, l] : leases_) {
    if (l.phase == lease_phase::stopping && now >= l.stop_by) {
      out.emplace_back(stop_action{slot, l.epoch, false});
      release(slot, l, now, out);
    } else if (l.phase == lease_phase::releasing && now >= l.release_at) {
      release(slot, l, now, out);
    }
  }
  if (now < beat_at_)
    return;
  if (phase_ == phase::joined) {
    beat(now, out);
    return;
  }
  phase_ = phase::looking;
  out.emplace_back(look_action{ask(request_kind::look, now)});
  beat_at_ = now + config_.answer_ms_max();
}

std::int64_t keeper::next_tick_at(std::int64_t now) const {
  auto at = beat_at_;
  for (const auto& [slot, l] : leases_)
    if (l.phase != lease_phase::held)
      at = std::min(at, l.phase == lease_phase::stopping ? l.stop_by : l.release_at);
  return std::max(at, now);
}

void keeper::set_load(slot_id slot, double load) {
  if (leases_.contains(slot))
    loads_[slot] = load;
}

std::optional<std::int64_t> keeper::store_until(slot_id slot, pulse::epoch epoch) const {
  const auto it = leases_.find(slot);
  if (it == leases_.end() || it->second.epoch != epoch || it->second.until == 0)
    return std::nullopt;
  return it->second.until;
}

std::vector<held_lease> keeper::held() const {
  std::vector<held_lease> out;
  for (const auto& [slot, l] : leases_)
    if (slot != leader_slot)
      out.push_back({slot, l.epoch, l.load});
  return out;
}

} // namespace pulse::cluster
