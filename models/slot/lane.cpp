// One tenant within the slot: loading, replay, parts in order, poison. Its images and its sleep are in sleep.cpp.
#include <algorithm>

#include "models/slot/machine.hpp"

namespace pulse::slot {

machine::lane& machine::lane_of(tenant_id tenant, time_ms now) {
  auto [it, added] = lanes_.try_emplace(tenant);
  if (added) {
    it->second.tenant = tenant;
    it->second.imaged_at = now;
  }
  return it->second;
}

machine::lane* machine::find(tenant_id tenant, std::uint64_t incarnation) {
  const auto it = lanes_.find(tenant);
  return it != lanes_.end() && it->second.incarnation == incarnation ? &it->second : nullptr;
}

void machine::pump(lane& l, time_ms now, std::vector<action>& out) {
  if (stopped_ || l.request != 0)
    return;
  switch (l.phase) {
    case phase::asleep:
      if ((set_aside(l) && !is_far_behind(l) && (!l.called || draining_)) || now < l.retry_at)
        return;
      l.phase = phase::loading;
      l.incarnation = next_incarnation_++;
      out.emplace_back(load_action{l.tenant, l.incarnation});
      return;
    case phase::loading: return;
    case phase::replaying: pump_replay(l, now, out); return;
    case phase::live: pump_live(l, now, out); return;
  }
}

void machine::on_loaded(tenant_id tenant, std::uint64_t incarnation, log_offset as_of,
                        const std::vector<log_offset>& set_aside, time_ms now, std::vector<action>& out) {
  auto* l = find(tenant, incarnation);
  if (l == nullptr || l->phase != phase::loading)
    return;
  l->image_as_of = as_of;
  l->untried.insert(set_aside.begin(), set_aside.end());
  l->retry_delay_ms = 0;
  l->replay_items.clear();
  l->replay_from = log_offset{as_of.value + 1};
  // Everything of the tenant that was answered before, but is in no image, is folded again.
  l->replay_to = log_offset{l->last.value + 1};
  l->phase = phase::replaying;
  pump(*l, now, out);
}

void machine::on_load_failed(tenant_id tenant, std::uint64_t incarnation, const error& why, time_ms now,
                             std::vector<action>& out) {
  auto* l = find(tenant, incarnation);
  if (l == nullptr || l->phase != phase::loading)
    return;
  fall_asleep(*l, now);
  out.emplace_back(alarm_action{"tenant_load_failed", tenant, why.detail});
  // Trying again does not mend it, and its neighbours in the slot must not wait for it.
  if (why.code == ec::corrupt || why.code == ec::unsupported || why.code == ec::not_found)
    quarantine(*l, "its stored state cannot be used: " + why.detail, out);
  pump(*l, now, out);
  pump_commits(now, out);
}

void machine::quarantine(lane& l, const std::string& why, std::vector<action>& out) {
  l.called = false;
  if (std::exchange(l.quarantined, true))
    return;
  l.quarantine_reason = why;
  out.emplace_back(alarm_action{"tenant_quarantined", l.tenant, why});
}

bool machine::is_set_aside(const lane& l, log_offset offset) const {
  return l.poison.contains(offset) || l.untried.contains(offset);
}

void machine::on_replay(tenant_id tenant, std::uint64_t incarnation, std::vector<item> items, log_offset next,
                        time_ms now, std::vector<action>& out) {
  auto* l = find(tenant, incarnation);
  if (l == nullptr || l->phase != phase::replaying || !l->replay_reading)
    return;
  l->replay_reading = false;
  l->replay_from = next;
  for (auto& it : items)
    if (!is_set_aside(*l, it.offset))
      l->replay_items.push_back(std::move(it));
  pump(*l, now, out);
}

void machine::pump_replay(lane& l, time_ms now, std::vector<action>& out) {
  // A second strike may have come for an item that waits here.
  while (!l.replay_items.empty() && l.poison.contains(l.replay_items.front().offset))
    l.replay_items.pop_front();
  if (l.replay_reading)
    return;
  if (l.replay_items.empty()) {
    if (l.replay_from >= l.replay_to) {
      l.phase = phase::live;
      l.called = false;
      pump_live(l, now, out);
      return;
    }
    l.replay_reading = true;
    out.emplace_back(replay_read_action{l.tenant, l.incarnation, l.replay_from, l.replay_to});
    return;
  }
  slot::part p;
  p.replay = true;
  for (const auto& it : l.replay_items) {
    if (!p.items.empty() && (p.items.size() >= config_.replay_events_max || is_suspect(l, it.offset)))
      break;
    p.items.push_back(it);
    if (is_suspect(l, it.offset))
      break;
  }
  send(l, std::move(p), out);
}

/// Answers what needs no child: poison that is known by now, and everything of a quarantined tenant. True when
/// nothing is left.
bool machine::set_aside(lane& l) {
  while (!l.pending.empty()) {
    const auto at = l.pending.front();
    const auto& it = batch_of(at.seq).items[at.index];
    const auto known = l.poison.find(it.offset);
    // Somebody published a version: that may have mended it.
    if (it.control)
      l.quarantined = false;
    if (known == l.poison.end() && !l.quarantined)
      return false;
    if (known == l.poison.end())
      l.untried.insert(it.offset);
    processed p;
    p.outcome = outcome::failed;
    p.body = *it.value;
    p.failure = known != l.poison.end() ? failure{"scoring", "poison", known->second, ""}
                                        : failure{"scoring", "quarantined", l.quarantine_reason, ""};
    l.last = std::max(l.last, it.offset);
    answer(at, std::move(p));
    l.pending.pop_front();
  }
  return true;
}

void machine::pump_live(lane& l, time_ms now, std::vector<action>& out) {
  if (set_aside(l))
    return;
  slot::part p;
  const auto seq = l.pending.front().seq;
  auto& b = batch_of(seq);
  for (const auto& at : l.pending) {
    if (at.seq != seq)
      break;
    const auto& it = b.items[at.index];
    const bool alone = is_suspect(l, it.offset) || l.poison.contains(it.offset);
    if (!p.items.empty() && alone)
      break;
    p.items.push_back(it);
    if (alone)
      break;
  }
  const auto since = l.events_since_image + static_cast<std::int64_t>(p.items.size());
  p.take_images = since >= config_.image_events || now.value - l.imaged_at.value >= config_.image_interval_ms;
  send(l, std::move(p), out);
}

void machine::send(lane& l, slot::part p, std::vector<action>& out) {
  p.tenant = l.tenant;
  p.request = l.request = next_request_++;
  l.request_items = p.items.size();
  out.emplace_back(send_action{std::move(p), l.incarnation});
}

void machine::on_part_done(part_result r, time_ms now, std::vector<action>& out) {
  const auto it = lanes_.find(r.tenant);
  if (it == lanes_.end() || it->second.request != r.request || r.request == 0)
    return;
  auto& l = it->second;
  l.request = 0;
  l.model_bytes = r.model_bytes;
  if (l.phase == phase::replaying) {
    const auto through = l.replay_items[l.request_items - 1].offset;
    l.replay_items.erase(l.replay_items.begin(), l.replay_items.begin() + static_cast<std::ptrdiff_t>(l.request_items));
    if (l.suspects && through >= l.suspects->second)
      l.suspects.reset();
    pump(l, now, out);
    return;
  }
  if (r.request == l.flush_request) {
    on_flushed(l, std::move(r.images), now, out);
    return;
  }
  PULSE_ASSERT(r.results.size() == l.request_items, "a child answers every item of a part");
  std::uint64_t seq = 0;
  for (auto& p : r.results) {
    const auto at = l.pending.front();
    seq = at.seq;
    l.last = batch_of(seq).items[at.index].offset;
    answer(at, std::move(p));
    l.pending.pop_front();
  }
  l.events_since_image += static_cast<std::int64_t>(r.results.size());
  if (l.suspects && l.last >= l.suspects->second)
    l.suspects.reset();
  if (!r.images.empty()) {
    batch_of(seq).images.push_back({l.tenant, l.last, std::move(r.images)});
    l.events_since_image = 0;
    l.imaged_at = now;
  }
  pump(l, now, out);
  pump_commits(now, out);
}

void machine::on_part_failed(tenant_id tenant, std::uint64_t request, loss kind, const std::string& why, time_ms now,
                             std::vector<action>& out) {
  const auto it = lanes_.find(tenant);
  if (it == lanes_.end() || it->second.request != request || request == 0)
    return;
  auto& l = it->second;
  if (kind == loss::threw && l.request_items > 0)
    suspect(l, now, why, out);
  fall_asleep(l, now);
  pump(l, now, out);
  pump_commits(now, out);
}

void machine::suspect(lane& l, time_ms now, const std::string& why, std::vector<action>& out) {
  const bool replay = l.phase == phase::replaying;
  const auto offset_at = [&](std::size_t i) {
    return replay ? l.replay_items[i].offset : batch_of(l.pending[i].seq).items[l.pending[i].index].offset;
  };
  const auto first = offset_at(0);
  if (l.request_items > 1) {
    l.suspects = {first, offset_at(l.request_items - 1)};
    return;
  }
  if (!l.suspects)
    l.suspects = {first, first};
  if (++l.strikes[first] < 2)
    return;
  l.strikes.erase(first);
  l.poison.emplace(first, why);
  out.emplace_back(alarm_action{"poison_set_aside", l.tenant, why});
  l.poison_times.push_back(now);
  while (now.value - l.poison_times.front().value > minute_ms)
    l.poison_times.pop_front();
  if (l.poison_times.size() > config_.poison_per_minute_max)
    quarantine(l, "too many of its events made the pipeline fail within a minute; publish what mends it, then replay",
               out);
}

bool machine::is_suspect(const lane& l, log_offset offset) const {
  return l.suspects && offset >= l.suspects->first && offset <= l.suspects->second;
}

bool machine::on_child_lost(tenant_id tenant, std::uint64_t incarnation, time_ms now, std::vector<action>& out) {
  auto* l = find(tenant, incarnation);
  if (l == nullptr || l->phase == phase::asleep)
    return false;
  fall_asleep(*l, now);
  pump(*l, now, out);
  return true;
}

} // namespace pulse::slot
