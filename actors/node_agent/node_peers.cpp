// What the node says to others and asks of them: hints, and slices of tenants' limits.
#include "actors/node_agent/node_agent.hpp"

namespace pulse {

namespace {

/// Together less than a gateway waits for a loan.
constexpr auto lend_timeout = std::chrono::milliseconds(300);
constexpr auto lend_retry = std::chrono::milliseconds(80);
constexpr int lend_tries = 4;

} // namespace

void node_agent_state::tell_others() {
  for (const auto& [node, to] : peers)
    self->send(to, wake_atom_v);
}

void node_agent_state::set_peer(const std::string& node, const caf::strong_actor_ptr& to) {
  if (to)
    peers[node] = caf::actor_cast<peer_actor>(to);
  else
    peers.erase(node);
}

/// As last seen: a lease that could not be renewed is still its holder's until somebody else has it.
peer_actor node_agent_state::owner_of(slot_id slot) const {
  if (!view)
    return {};
  for (const auto& l : view->leases)
    if (l.slot == slot) {
      const auto found = peers.find(l.holder.value);
      return found == peers.end() ? peer_actor() : found->second;
    }
  return {};
}

node_agent_state::held_slot* node_agent_state::held_here(slot_id slot) {
  const auto it = slots.find(slot);
  return it != slots.end() && it->second.reader && !it->second.ending ? &it->second : nullptr;
}

/// A supervisor that was made anew under the same lease does not know what the last one lent: it starts empty, now.
std::int64_t node_agent_state::lending_since(held_slot& held, tenant_id tenant) {
  return held.lending.insert(tenant).second ? held.since : context->time.monotonic_ms();
}

/// The limit's owner is whoever holds the tenant's slot. Its supervisor keeps the bucket.
caf::result<lend_answer> node_agent_state::lend(const lend_request& what) {
  if (auto* held = held_here(what.slot))
    return self->delegate(supervisor_of(what.tenant), lend_atom_v, what, held->claim->epoch.value,
                          lending_since(*held, what.tenant));
  auto promise = self->make_response_promise<lend_answer>();
  if (what.handed_on)
    promise.deliver(lend_answer{true, {}, {}});
  else
    ask_owner(what, promise, lend_tries);
  return promise;
}

/// A slot on its way has an owner in a moment: here or elsewhere.
void node_agent_state::ask_owner(const lend_request& what, caf::typed_response_promise<lend_answer> promise,
                                 int tries) {
  auto again = [this, what, promise, tries]() mutable {
    if (tries <= 1)
      promise.deliver(lend_answer{true, {}, {}});
    else
      self->run_delayed(lend_retry, [this, what, promise, tries] { ask_owner(what, promise, tries - 1); });
  };
  auto answered = [promise, again](const lend_answer& answer) mutable {
    if (answer.away)
      again();
    else
      promise.deliver(answer);
  };
  auto failed = [again](const caf::error&) mutable {
    again();
  };
  if (auto* held = held_here(what.slot)) {
    self->request(supervisor_of(what.tenant), lend_timeout, lend_atom_v, what, held->claim->epoch.value,
                  lending_since(*held, what.tenant))
        .then(answered, failed);
    return;
  }
  if (const auto owner = owner_of(what.slot))
    self->request(owner, lend_timeout, lend_atom_v, what).then(answered, failed);
  else
    again();
}

void node_agent_state::settle(const settle_note& what) {
  if (held_here(what.slot) != nullptr)
    self->send(supervisor_of(what.tenant), settle_atom_v, what);
  else if (const auto owner = what.handed_on ? peer_actor() : owner_of(what.slot))
    self->send(owner, settle_atom_v, what);
}

} // namespace pulse
