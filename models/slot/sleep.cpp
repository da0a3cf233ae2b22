// When a tenant within the slot sleeps, what is imaged first, and who keeps it awake.
#include <algorithm>

#include "models/slot/machine.hpp"

namespace pulse::slot {

void machine::fall_asleep(lane& l, time_ms now) {
  l.phase = phase::asleep;
  l.request = 0;
  l.flushing = false;
  l.replay_items.clear();
  l.replay_reading = false;
  l.incarnation = 0;
  l.asked = false;
  l.model_bytes = 0;
  l.retry_delay_ms = std::clamp(l.retry_delay_ms * 2, config_.retry_delay_ms_min, config_.retry_delay_ms_max);
  l.retry_at = time_ms{now.value + l.retry_delay_ms};
}

bool machine::is_far_behind(const lane& l) const {
  return !draining_ && l.last > l.image_as_of && next_read_.value - l.image_as_of.value > config_.image_lag_records_max;
}

void machine::send_flush(lane& l, std::vector<action>& out) {
  slot::part p;
  p.take_images = true;
  l.flushing = true;
  send(l, std::move(p), out);
  l.flush_request = l.request;
}

void machine::on_flushed(lane& l, std::vector<chunk_image> images, time_ms now, std::vector<action>& out) {
  if (!l.pending.empty()) {
    // Records came meanwhile. A batch of their own would be committed after theirs, and put these images over newer
    // ones.
    batch_of(l.pending.front().seq).images.push_back({l.tenant, l.last, std::move(images)});
  } else {
    open_batch b;
    b.seq = next_seq_++;
    b.from = b.to = next_read_;
    b.images.push_back({l.tenant, l.last, std::move(images)});
    batches_.push_back(std::move(b));
  }
  l.events_since_image = 0;
  l.imaged_at = now;
  pump(l, now, out);
  pump_commits(now, out);
}

void machine::release_imaged(const slot::batch& done, std::vector<action>& out) {
  for (const auto& images : done.images) {
    const auto it = lanes_.find(images.tenant);
    if (it == lanes_.end())
      continue;
    auto& l = it->second;
    l.image_as_of = std::max(l.image_as_of, images.as_of);
    // What was loaded before these images were stored is older than they are: its replay still needs to know.
    if (l.phase == phase::asleep || l.phase == phase::live) {
      std::erase_if(l.poison, [&](const auto& p) { return p.first <= l.image_as_of; });
      l.untried.erase(l.untried.begin(), l.untried.upper_bound(l.image_as_of));
    }
    if (!l.flushing)
      continue;
    l.flushing = false;
    if (l.phase == phase::live && l.request == 0 && l.pending.empty() && l.last <= l.image_as_of &&
        (!l.asked || draining_)) {
      out.emplace_back(release_action{l.tenant});
      lanes_.erase(it);
    }
  }
}

void machine::on_call(tenant_id tenant, time_ms now, std::vector<action>& out) {
  if (!cannot_wake(tenant).empty())
    return;
  auto& l = lane_of(tenant, now);
  l.active_at = now;
  if (l.phase == phase::live)
    return;
  l.called = true;
  pump(l, now, out);
}

void machine::call_off(tenant_id tenant) {
  if (const auto it = lanes_.find(tenant); it != lanes_.end())
    it->second.called = false;
}

void machine::on_asking(tenant_id tenant) {
  if (const auto it = lanes_.find(tenant); it != lanes_.end())
    it->second.asked = true;
}

void machine::on_asked(tenant_id tenant, std::optional<std::size_t> model_bytes) {
  const auto it = lanes_.find(tenant);
  if (it == lanes_.end())
    return;
  it->second.asked = false;
  if (model_bytes && it->second.phase == phase::live)
    it->second.model_bytes = *model_bytes;
}

bool machine::is_live(tenant_id tenant) const {
  const auto it = lanes_.find(tenant);
  return it != lanes_.end() && it->second.phase == phase::live;
}

std::string machine::cannot_wake(tenant_id tenant) const {
  if (ends())
    return "the slot is handed over or has stopped";
  if (deleted_.contains(tenant))
    return "the tenant is deleted";
  const auto it = lanes_.find(tenant);
  return it != lanes_.end() && it->second.quarantined ? it->second.quarantine_reason : "";
}

/// Puts idle tenants to sleep: those whose state is stored are released, the others image it first.
void machine::passivate(time_ms now, std::vector<action>& out) {
  auto surplus = static_cast<std::int64_t>(tenants_awake()) - static_cast<std::int64_t>(config_.tenants_awake_max);
  auto hot = model_bytes();
  std::vector<std::pair<time_ms, tenant_id>> idle;
  for (const auto& [tenant, l] : lanes_) {
    // As good as asleep.
    surplus -= l.flushing ? 1 : 0;
    hot -= l.flushing ? l.model_bytes : 0;
    if (l.phase == phase::live && l.request == 0 && l.pending.empty() && !l.flushing && (!l.asked || draining_))
      idle.emplace_back(l.active_at, tenant);
  }
  std::sort(idle.begin(), idle.end());
  for (const auto& [active_at, tenant] : idle) {
    const bool idle_long = draining_ || surplus > 0 || now.value - active_at.value >= config_.idle_ms;
    if (!idle_long && hot <= config_.model_bytes_max)
      break;
    auto& l = lanes_.at(tenant);
    // Without models of its own its sleep frees nothing.
    if (!idle_long && l.model_bytes == 0)
      continue;
    --surplus;
    hot -= l.model_bytes;
    if (l.last > l.image_as_of) {
      send_flush(l, out);
      continue;
    }
    out.emplace_back(release_action{tenant});
    lanes_.erase(tenant);
  }
}

} // namespace pulse::slot
