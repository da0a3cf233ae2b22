// What the node says to others and asks of them: hints, slices of tenants' limits, what runs there.
#include "actors/node_agent/node_agent.hpp"

namespace pulse {

namespace {

/// Together less than a gateway waits for a loan.
constexpr auto lend_timeout = std::chrono::milliseconds(300);
constexpr auto lend_retry = std::chrono::milliseconds(80);
constexpr int lend_tries = 4;
constexpr auto census_timeout = std::chrono::seconds(1);

} // namespace

void node_agent_state::tell_others() {
  for (const auto& [node, link] : peers)
    self->send(link.to, wake_atom_v);
}

cluster::census node_agent_state::own_census() const {
  const auto count = [](std::size_t n) {
    return static_cast<std::int64_t>(n);
  };
  cluster::census out{node_id{own_name()}, count(peers.size()), count(supervisors.size()), 0, 0, 0};
  for (const auto& [tenant, h] : hosted) {
    out.ingestion += h.child ? 1 : 0;
    out.ingestion_alone += h.child && !h.supervisor ? 1 : 0;
    out.ingestion_of_others += h.child && h.supervisor && !is_own(h.supervisor) ? 1 : 0;
  }
  return out;
}

/// Without those that do not answer.
caf::result<std::vector<cluster::census>> node_agent_state::census(bool everywhere) {
  auto found = std::make_shared<std::vector<cluster::census>>(1, own_census());
  auto promise = self->make_response_promise<std::vector<cluster::census>>();
  auto left = std::make_shared<std::size_t>(1);
  auto one_less = [promise, found, left]() mutable {
    if (--*left == 0)
      promise.deliver(*found);
  };
  for (const auto& [node, link] : peers) {
    if (!everywhere)
      break;
    ++*left;
    self->request(link.to, census_timeout, census_atom_v)
        .then(
            [found, one_less](const std::vector<cluster::census>& there) mutable {
              found->insert(found->end(), there.begin(), there.end());
              one_less();
            },
            [one_less](const caf::error&) mutable { one_less(); });
  }
  one_less();
  return promise;
}

void node_agent_state::set_peer(const std::string& node, const caf::strong_actor_ptr& to, std::int32_t wire) {
  if (to) {
    peers[node] = {caf::actor_cast<peer_actor>(to), wire};
    return;
  }
  peers.erase(node);
  trainings_lost(node);
}

/// As last seen: a lease that could not be renewed is still its holder's until somebody else has it.
node_agent_state::linked_peer node_agent_state::owner_of(slot_id slot) const {
  if (!view)
    return {};
  for (const auto& l : view->leases)
    if (l.slot == slot) {
      const auto found = peers.find(l.holder.value);
      return found == peers.end() ? linked_peer() : found->second;
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
  if (const auto owner = owner_of(what.slot).to)
    self->request(owner, lend_timeout, lend_atom_v, what).then(answered, failed);
  else
    again();
}

void node_agent_state::settle(const settle_note& what) {
  if (held_here(what.slot) != nullptr)
    self->send(supervisor_of(what.tenant), settle_atom_v, what);
  else if (const auto owner = what.handed_on ? peer_actor() : owner_of(what.slot).to)
    self->send(owner, settle_atom_v, what);
}

} // namespace pulse
