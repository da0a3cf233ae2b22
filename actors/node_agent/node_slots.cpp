// Which slots the node holds: all of them, or in a cluster what its lease_keeper says.
#include <fmt/format.h>

#include "actors/connector/connector.hpp"
#include "actors/node_agent/node_agent.hpp"
#include "actors/peer/peer.hpp"
#include "actors/slot_reader/slot_reader.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// The node's own deadline is shorter; this only keeps a dead slot from being waited for.
constexpr auto drain_timeout = std::chrono::minutes(10);

} // namespace

void node_agent_state::own_every_slot() {
  for (int i = 0; i < context->log.slots(); ++i)
    slots[slot_id{i}].reader =
        self->spawn<slot_reader, caf::linked + caf::detached>(context, slot_id{i}, node_agent_actor(self));
}

/// The port first, so that the node's row can name it.
caf::result<std::string> node_agent_state::join() {
  if (!part || keeper)
    return std::string();
  const auto& me = part->keeper.keeper.self;
  const auto links = self->spawn<connector, caf::linked + caf::detached>(
      connector_config{me.id.value, me.incarnation, context->time, part->random, part->dialer, part->wire},
      node_root_actor(self));
  const auto own_peer = self->spawn<peer, caf::linked>(me.incarnation, node_root_actor(self), links);
  const auto address = part->publish(own_peer);
  if (!address)
    return caf::make_error(caf::sec::cannot_open_port, address.err().detail);
  self->send(links, join_atom_v, caf::actor_cast<caf::strong_actor_ptr>(own_peer));
  auto config = part->keeper;
  config.keeper.self.address = *address;
  keeper = self->spawn<lease_keeper, caf::linked + caf::detached>(std::move(config), lease_owner_actor(self));
  auto own = std::make_shared<actor_context>(*context);
  own->slot_lost = [to = keeper](slot_id slot, epoch under) {
    caf::anon_send(to, fenced_atom_v, slot, under);
  };
  context = std::move(own);
  return *address;
}

std::vector<slot_id> node_agent_state::slots_here() const {
  std::vector<slot_id> out;
  for (const auto& [slot, held] : slots)
    if (held.reader && !held.ending)
      out.push_back(slot);
  return out;
}

void node_agent_state::start_slot(slot_id slot, const slot_claim& claim) {
  auto& held = slots[slot];
  if (held.reader) {
    if (held.claim->epoch >= claim.epoch)
      return;
    held.next = claim;
    end_slot(slot, held.claim->epoch);
    return;
  }
  held.claim = claim;
  held.since = context->time.monotonic_ms();
  held.reader = self->spawn<slot_reader, caf::monitored + caf::detached>(context, slot, node_agent_actor(self), claim);
}

/// Answers when the slot's reader is gone.
caf::result<void> node_agent_state::release_slot(slot_id slot, epoch under, bool graceful) {
  const auto it = slots.find(slot);
  if (it == slots.end())
    return caf::unit;
  auto& held = it->second;
  if (held.next && held.next->epoch == under)
    held.next.reset();
  if (!held.reader || held.claim->epoch != under)
    return caf::unit;
  auto promise = self->make_response_promise<void>();
  held.released.push_back(promise);
  if (!graceful) {
    end_slot(slot, under);
    return promise;
  }
  const auto end = [this, slot, under] {
    end_slot(slot, under);
  };
  // What a slot could not finish is in the log.
  self->request(held.reader, drain_timeout, drain_atom_v).then(end, [end, slot](const caf::error& e) {
    log::warning("slot_not_finished", "node_agent", fmt::format("slot {}: {}", slot.value, caf::to_string(e)));
    end();
  });
  return promise;
}

void node_agent_state::end_slot(slot_id slot, epoch under) {
  const auto it = slots.find(slot);
  if (it == slots.end() || !it->second.reader || it->second.claim->epoch != under ||
      std::exchange(it->second.ending, true))
    return;
  self->send_exit(it->second.reader, caf::exit_reason::user_shutdown);
}

/// A slot that died by itself is given up, and placed again: here or elsewhere.
bool node_agent_state::slot_down(const caf::down_msg& down) {
  for (auto it = slots.begin(); it != slots.end(); ++it) {
    auto& [slot, held] = *it;
    if (!held.reader || held.reader.address() != down.source)
      continue;
    context->log.on_appended(slot, nullptr);
    if (!held.ending) {
      context->metrics.alarm("slot_died");
      log::error("slot_died", "node_agent", fmt::format("slot {}: {}", slot.value, caf::to_string(down.reason)));
      if (context->slot_lost)
        context->slot_lost(slot, held.claim->epoch);
    }
    for (auto& promise : held.released)
      promise.deliver();
    const auto gone = slot;
    const auto next = held.next;
    slots.erase(it);
    if (next)
      start_slot(gone, *next);
    return true;
  }
  return false;
}

void node_agent_state::measure_loads() {
  if (!keeper)
    return;
  for (auto& [slot, held] : slots) {
    if (!held.reader || held.ending || std::exchange(held.measuring, true))
      continue;
    const auto under = held.claim->epoch;
    const auto at = [this, slot = slot, under]() -> held_slot* {
      const auto it = slots.find(slot);
      return it != slots.end() && it->second.claim->epoch == under ? &it->second : nullptr;
    };
    self->request(held.reader, work_timeout, status_atom_v)
        .then(
            [this, at](const status_ptr& s) {
              auto* now_held = at();
              if (now_held == nullptr)
                return;
              now_held->measuring = false;
              if (s->state != "serving")
                return;
              if (const auto load = now_held->load.see(s->position, context->time.monotonic_ms()))
                self->send(keeper, work_atom_v, s->slot, *load);
            },
            [at](const caf::error&) {
              if (auto* now_held = at())
                now_held->measuring = false;
            });
  }
}

/// Whoever asks a node to drain writes it into the node's row.
void node_agent_state::see(const cluster_view_ptr& seen) {
  view = seen;
  const auto& me = part->keeper.keeper.self;
  for (const auto& n : seen->nodes)
    if (n.id == me.id && n.incarnation == me.incarnation && n.drain_wanted && !std::exchange(leaving, true))
      part->leave();
}

/// Answers when every slot has finished: with an error when one could not. In a cluster they go to other nodes, as far
/// as there are any.
caf::result<void> node_agent_state::drain() {
  auto promise = self->make_response_promise<void>();
  if (part) {
    leaving = true;
    if (!keeper) {
      promise.deliver();
      return promise;
    }
    self->request(keeper, drain_timeout, drain_atom_v)
        .then([promise]() mutable { promise.deliver(); },
              [promise](const caf::error& e) mutable { promise.deliver(e); });
    return promise;
  }
  struct progress {
    std::size_t left;
    caf::error first_problem;
  };
  auto state = std::make_shared<progress>(progress{slots.size(), {}});
  auto one_less = [promise, state]() mutable {
    if (--state->left > 0)
      return;
    if (state->first_problem)
      promise.deliver(state->first_problem);
    else
      promise.deliver();
  };
  for (const auto& [slot, held] : slots)
    self->request(held.reader, drain_timeout, drain_atom_v)
        .then(one_less, [state, one_less](const caf::error& e) mutable {
          state->first_problem = e;
          one_less();
        });
  return promise;
}

} // namespace pulse
