// The ingestion children on this node: requests go straight to them; whoever holds the tenant's slot is their
// supervisor.
#include <fmt/format.h>

#include "actors/ingestion/ingestion.hpp"
#include "actors/node_agent/node_agent.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// Requests of one tenant that wait for its child.
constexpr std::size_t waiting_max = 1000;
/// A new tenant's settings are read meanwhile.
constexpr auto attend_timeout = std::chrono::seconds(1);
/// As often as a supervisor does.
constexpr std::int64_t refresh_ms = 4000;
constexpr auto attend_retry = std::chrono::milliseconds(80);
/// Longer no request waits for a supervisor: a slot on its way has one by then, or the cluster is cut.
constexpr std::int64_t alone_after_ms = 400;

} // namespace

std::string node_agent_state::own_name() const {
  return part ? part->keeper.keeper.self.id.value : std::string();
}

void node_agent_state::ingest(ingest_ptr request) {
  const auto tenant = request->tenant;
  auto& h = hosted[tenant];
  h.active_at = context->time.monotonic_ms();
  if (h.child) {
    self->send(h.child, ingest_atom_v, std::move(request));
    return;
  }
  if (h.waiting.size() >= waiting_max) {
    refuse(*request, "too many requests wait for the tenant's ingestion");
    return;
  }
  if (h.waiting.empty())
    h.waiting_since = h.active_at;
  h.waiting.push_back(std::move(request));
  // A supervisor that has lost its child makes another one.
  if (!h.supervisor)
    attend(tenant);
}

/// Tells the tenant's supervisor, wherever it is, that this node sees the tenant.
void node_agent_state::attend(tenant_id tenant) {
  auto& h = hosted[tenant];
  if (std::exchange(h.asking, true))
    return;
  if (!part) {
    ask_supervisor(tenant, epoch{});
    return;
  }
  if (const auto known = remembered(tenant)) {
    attend_owner(tenant, known->value().slot);
    return;
  }
  self->request(workers.front(), store_timeout, settings_atom_v, tenant)
      .then(
          [this, tenant](const settings_ptr& fresh) {
            if (!*fresh) {
              not_attended(tenant, "the tenant's settings cannot be read: " + fresh->err().detail);
              return;
            }
            remember(tenant, fresh);
            attend_owner(tenant, (*fresh)->slot);
          },
          [this, tenant](const caf::error& e) { not_attended(tenant, caf::to_string(e)); });
}

void node_agent_state::attend_owner(tenant_id tenant, slot_id slot) {
  if (auto* held = held_here(slot)) {
    ask_supervisor(tenant, held->claim->epoch);
    return;
  }
  if (const auto owner = owner_of(slot).to)
    self->request(owner, attend_timeout, attend_atom_v, attend_note{tenant, slot, own_name()})
        .then([this, tenant] { hosted[tenant].asking = false; },
              [this, tenant](const caf::error&) { not_within_reach(tenant); });
  else
    not_within_reach(tenant);
}

void node_agent_state::ask_supervisor(tenant_id tenant, epoch owner) {
  self->request(supervisor_of(tenant), store_timeout, attend_atom_v, own_name(), child_host_actor(self), owner.value)
      .then([this, tenant] { hosted[tenant].asking = false; },
            [this, tenant](const caf::error& e) {
              // It ended, perhaps with its idle time: the next one is asked as long as somebody waits.
              if (e == caf::sec::request_receiver_down || e == caf::sec::broken_promise)
                not_within_reach(tenant);
              else
                not_attended(tenant, caf::to_string(e));
            });
}

/// Whoever waits is told.
void node_agent_state::not_attended(tenant_id tenant, const std::string& why) {
  auto& h = hosted[tenant];
  h.asking = false;
  for (auto& request : std::exchange(h.waiting, {}))
    refuse(*request, why);
}

/// An append needs no slot: without a supervisor the child works alone, by the limits that were last known, until one
/// takes it up. Where the tenant has a rate it still borrows of its owner.
void node_agent_state::not_within_reach(tenant_id tenant) {
  auto& h = hosted[tenant];
  h.asking = false;
  if (h.child || h.waiting.empty())
    return;
  const auto known = remembered(tenant);
  if (!part || !known || context->time.monotonic_ms() - h.waiting_since < alone_after_ms) {
    self->run_delayed(attend_retry, [this, tenant] {
      if (const auto it = hosted.find(tenant); it != hosted.end() && !it->second.waiting.empty())
        attend(tenant);
    });
    return;
  }
  log::warning("ingestion_without_supervisor", "node_agent",
               "no node that holds the tenant's slot is within reach; its events are taken here all the same",
               {tenant, {}, ""});
  make_ingestion(tenant, limits_of(known->value(), 0));
}

void node_agent_state::make_ingestion(tenant_id tenant, const ingestion_settings& by) {
  auto& h = hosted[tenant];
  h.child = self->spawn<ingestion, caf::monitored>(context, by);
  h.refreshed_at = context->time.monotonic_ms();
  whose[h.child.address()] = tenant;
  for (auto& request : std::exchange(h.waiting, {}))
    self->send(h.child, ingest_atom_v, std::move(request));
}

caf::result<ingestion_actor> node_agent_state::host(const ingestion_order& order) {
  const auto tenant = order.settings.tenant;
  auto& h = hosted[tenant];
  if (order.owner < h.owner)
    return caf::make_error(caf::sec::invalid_argument, "the node knows a newer owner of the tenant's slot");
  h.owner = order.owner;
  const auto from = caf::actor_cast<tenant_supervisor_actor>(self->current_sender());
  if (from != h.supervisor) {
    if (h.supervisor)
      self->send(h.supervisor, part_atom_v, own_name());
    let_go(h);
    h.supervisor = from;
    if (!is_own(from)) {
      whose[from.address()] = tenant;
      self->monitor(from);
    }
  }
  if (!h.child)
    make_ingestion(tenant, order.settings);
  else
    caf::anon_send(h.child, settings_atom_v, order.settings);
  return h.child;
}

bool node_agent_state::is_own(const tenant_supervisor_actor& supervisor) const {
  return supervisor && supervisor.node() == self->node();
}

/// Those of this node are watched in any case.
void node_agent_state::let_go(hosted_ingestion& h) {
  if (h.supervisor && !is_own(h.supervisor)) {
    self->demonitor(h.supervisor);
    whose.erase(h.supervisor.address());
  }
  h.supervisor = nullptr;
}

/// A child that works alone is told of new limits here.
void node_agent_state::refresh_alone(tenant_id tenant) {
  auto& h = hosted[tenant];
  h.refreshed_at = context->time.monotonic_ms();
  self->request(workers.front(), store_timeout, settings_atom_v, tenant)
      .then(
          [this, tenant](const settings_ptr& fresh) {
            const auto it = hosted.find(tenant);
            if (!*fresh || it == hosted.end())
              return;
            remember(tenant, fresh);
            if (it->second.child && !it->second.supervisor)
              caf::anon_send(it->second.child, settings_atom_v, limits_of(fresh->value(), 0));
          },
          [](const caf::error&) {
            // It goes on with what was known, and is asked for again.
          });
}

/// A child that died is missed by its supervisor; a supervisor that died is missed here.
void node_agent_state::hosted_down(tenant_id tenant, const caf::actor_addr& gone) {
  const auto it = hosted.find(tenant);
  if (it == hosted.end())
    return;
  auto& h = it->second;
  if (h.child && h.child.address() == gone)
    h.child = nullptr;
  if (h.supervisor && h.supervisor.address() == gone) {
    h.supervisor = nullptr;
    if (h.child || !h.waiting.empty())
      attend(tenant);
  }
}

/// Once a second: idle children end, those whose slot has another owner by now are shown to it.
void node_agent_state::look_after_hosted() {
  std::unordered_map<slot_id, epoch> owners;
  if (view)
    for (const auto& l : view->leases)
      owners.emplace(l.slot, l.epoch);
  const auto now = context->time.monotonic_ms();
  std::vector<tenant_id> lost, stale;
  for (auto it = hosted.begin(); it != hosted.end();) {
    auto& [tenant, h] = *it;
    if (h.waiting.empty() && !h.asking && now - h.active_at > context->tenant_idle_ms) {
      if (h.child) {
        whose.erase(h.child.address());
        self->demonitor(h.child);
        self->send_exit(h.child, caf::exit_reason::user_shutdown);
      }
      let_go(h);
      it = hosted.erase(it);
      continue;
    }
    const auto known = part ? remembered(tenant) : settings_ptr{};
    const auto owner = known ? owners.find(known->value().slot) : owners.end();
    const bool moved = owner != owners.end() && owner->second != h.owner;
    if (h.child && !h.supervisor && now - h.refreshed_at > refresh_ms)
      stale.push_back(tenant);
    if ((!h.waiting.empty() && !h.child) || (h.child && (!h.supervisor || moved)))
      lost.push_back(tenant);
    ++it;
  }
  for (const auto tenant : lost)
    attend(tenant);
  for (const auto tenant : stale)
    refresh_alone(tenant);
}

/// To the owner of the slot, from a node whose gateway sees the tenant.
caf::result<void> node_agent_state::attended(const attend_note& what) {
  auto* held = held_here(what.slot);
  const auto from = peers.find(what.node);
  if (held == nullptr || from == peers.end())
    return caf::make_error(caf::sec::invalid_argument,
                           held == nullptr ? "the slot is not held here" : "there is no link to that node");
  return self->delegate(supervisor_of(what.tenant), attend_atom_v, what.node, child_host_actor(from->second.to),
                        held->claim->epoch.value);
}

} // namespace pulse
