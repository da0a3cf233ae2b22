#include "actors/lease_keeper/lease_keeper.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "lease_keeper";

} // namespace

lease_keeper_state::lease_keeper_state(lease_keeper_actor::pointer p, lease_keeper_config config, lease_owner_actor o) :
  self(p),
  time(config.time),
  store(std::move(config.store)),
  gate(std::move(config.gate)),
  owner(std::move(o)),
  me{config.keeper.self.id, config.keeper.self.incarnation},
  hand_over_ms_max(config.keeper.handoff_ms_max),
  keeper(std::move(config.keeper)) {
}

std::int64_t lease_keeper_state::now() const {
  return time.monotonic_ms();
}

/// Answers come at once and add to the list: hence by index.
void lease_keeper_state::carry_out(std::vector<cluster::action>& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const auto action = std::move(actions[i]);
    if (ask_database(action, actions)) {
      publish();
    } else if (const auto* s = std::get_if<cluster::start_action>(&action)) {
      log::info("lease_taken", component, fmt::format("slot {} under epoch {}", s->slot.value, s->epoch.value));
      self->send(owner, start_atom_v, s->slot, s->epoch, s->taken_from);
    } else if (const auto* t = std::get_if<cluster::stop_action>(&action)) {
      stop(*t);
    } else if (const auto* l = std::get_if<cluster::lead_action>(&action)) {
      log::info(l->leading ? "leading" : "leading_ended", component, fmt::format("epoch {}", l->epoch.value));
      self->send(owner, lead_atom_v, l->leading);
    } else if (std::holds_alternative<cluster::drained_action>(action)) {
      leave(false);
    } else if (std::holds_alternative<cluster::superseded_action>(action)) {
      leave(true);
    }
  }
}

bool lease_keeper_state::ask_database(const cluster::action& a, std::vector<cluster::action>& out) {
  if (const auto* look = std::get_if<cluster::look_action>(&a)) {
    ask_view(look->request, store->look(), out);
  } else if (const auto* beat = std::get_if<cluster::beat_action>(&a)) {
    ask_view(beat->request, store->beat(me, beat->state, beat->load, beat->leases), out);
  } else if (const auto* join = std::get_if<cluster::join_action>(&a)) {
    const auto done = store->join(join->self, join->previous);
    done ? keeper.on_joined(join->request, now(), out) : failed(join->request, done.err(), out);
  } else if (const auto* take = std::get_if<cluster::take_action>(&a)) {
    const auto taken = store->take(me, take->leases);
    taken ? keeper.on_taken(take->request, *taken, now(), out) : failed(take->request, taken.err(), out);
    if (taken && !taken->empty())
      self->send(owner, hint_atom_v);
  } else if (const auto* release = std::get_if<cluster::release_action>(&a)) {
    const auto done = store->release(me, release->slot, release->epoch);
    done ? keeper.on_released(release->request, now(), out) : failed(release->request, done.err(), out);
    self->send(owner, hint_atom_v);
  } else if (const auto* place = std::get_if<cluster::place_action>(&a)) {
    for (const auto& m : place->assignments)
      log::info("slot_placed", component, fmt::format("slot {} to {}: {}", m.slot.value, m.to.value, m.reason));
    const auto done = store->place(me, place->epoch, place->assignments);
    done ? keeper.on_placed(place->request, now(), out) : failed(place->request, done.err(), out);
    self->send(owner, hint_atom_v);
  } else {
    return false;
  }
  return true;
}

void lease_keeper_state::ask_view(std::uint64_t request, const result<cluster::view>& answer,
                                  std::vector<cluster::action>& out) {
  if (!answer) {
    failed(request, answer.err(), out);
    return;
  }
  keeper.on_view(request, *answer, now(), out);
  self->send(owner, view_atom_v, std::make_shared<const cluster::view>(keeper.last_view().value_or(*answer)));
}

void lease_keeper_state::failed(std::uint64_t request, const error& why, std::vector<cluster::action>& out) {
  log::warning("cluster_store_failed", component, why.detail);
  keeper.on_failed(request, why, now(), out);
}

void lease_keeper_state::stop(const cluster::stop_action& a) {
  log::info(a.graceful ? "slot_handed_over" : "slot_dropped", component,
            fmt::format("slot {}, epoch {}", a.slot.value, a.epoch.value));
  if (!a.graceful) {
    self->send(owner, release_atom_v, a.slot, a.epoch, false);
    return;
  }
  // The machine has a limit of its own; this one only keeps the request from waiting for ever.
  const auto stopped = [this, a] {
    feed([&](auto& k, auto& out) { k.on_stopped(a.slot, a.epoch, now(), out); });
  };
  self->request(owner, std::chrono::milliseconds(2 * hand_over_ms_max + 1000), release_atom_v, a.slot, a.epoch, true)
      .then(stopped, [this, a](const caf::error& e) {
        log::warning("hand_over_failed", component, fmt::format("slot {}: {}", a.slot.value, caf::to_string(e)));
        feed([&](auto& k, auto& out) { k.on_fenced(a.slot, a.epoch, now(), out); });
      });
}

void lease_keeper_state::leave(bool superseded) {
  left = true;
  if (superseded)
    log::error("superseded", component, "a newer run of this node has joined; this one ends");
  self->send(owner, left_atom_v, superseded);
  for (auto& promise : std::exchange(draining, {}))
    promise.deliver();
}

void lease_keeper_state::publish() {
  std::map<slot_id, epoch> held;
  for (const auto& l : keeper.held()) {
    held[l.slot] = l.epoch;
    gate->set(l.slot, l.epoch, keeper.store_until(l.slot, l.epoch).value_or(0));
  }
  for (const auto& [slot, under] : told)
    if (!held.contains(slot))
      gate->set(slot, under, 0);
  told = std::move(held);
}

/// One tick is under way at most, and an earlier one when that is needed.
void lease_keeper_state::arm() {
  if (left)
    return;
  const auto at = keeper.next_tick_at(now());
  if (armed_for != 0 && armed_for <= at)
    return;
  armed_for = at;
  self->delayed_send(lease_keeper_actor(self), std::chrono::milliseconds(std::max<std::int64_t>(at - now(), 1)),
                     tick_atom_v);
}

lease_keeper_actor::behavior_type lease_keeper_state::make_behavior() {
  feed([this](auto& k, auto& out) { k.start(now(), out); });
  return {
      [this](drain_atom) -> caf::result<void> {
        auto promise = self->make_response_promise<void>();
        if (left) {
          promise.deliver();
          return promise;
        }
        draining.push_back(promise);
        feed([this](auto& k, auto& out) { k.drain(now(), out); });
        return promise;
      },
      [this](wake_atom) { feed([this](auto& k, auto& out) { k.on_hint(now(), out); }); },
      [this](fenced_atom, slot_id slot, epoch e) {
        feed([&](auto& k, auto& out) { k.on_fenced(slot, e, now(), out); });
      },
      [this](work_atom, slot_id slot, double load) { keeper.set_load(slot, load); },
      [this](status_atom) {
        const auto& seen = keeper.last_view();
        return std::make_shared<const cluster::view>(seen ? *seen : cluster::view{});
      },
      [this](tick_atom) {
        // Of a tick that was overtaken by an earlier one. Timers are exact to a millisecond or two.
        if (armed_for == 0 || now() + 2 < armed_for)
          return;
        armed_for = 0;
        feed([this](auto& k, auto& out) { k.tick(now(), out); });
      },
  };
}

} // namespace pulse
