// The actors by which nodes share the slots, and what they send: beside interfaces.hpp, with numbers of their own. On
// one node with the embedded log no lease_keeper runs.
//
//   node_agent (is a lease_owner)
//   └─ lease_keeper                   one a node: drives models/cluster/keeper with the database
#pragma once

#include "actors/interfaces.hpp"
#include "models/cluster/types.hpp"

namespace pulse {

using cluster_view_ptr = std::shared_ptr<const cluster::view>;

} // namespace pulse

CAF_BEGIN_TYPE_ID_BLOCK(pulse_cluster, caf::id_block::pulse_handles::end)

CAF_ADD_TYPE_ID(pulse_cluster, (pulse::epoch))
CAF_ADD_TYPE_ID(pulse_cluster, (pulse::cluster_view_ptr))
CAF_ADD_ATOM(pulse_cluster, pulse, lead_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, left_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, fenced_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, join_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, view_atom)

CAF_END_TYPE_ID_BLOCK(pulse_cluster)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::cluster_view_ptr)

namespace pulse {

/// What the lease keeper tells its node. Implemented by the node_agent.
using lease_owner_actor = caf::typed_actor<
    // Take the slot over under this epoch and go on from its position; `taken_from`: the run whose backends are to be
    // ended first, empty when there is none.
    caf::result<void>(start_atom, slot_id, epoch, std::string),
    // Stop the slot. Graceful: finish the batch and image, then answer; else drop it at once and answer.
    caf::result<void>(release_atom, slot_id, epoch, bool),
    // This node leads from here on, or does not any more: for what only one node of the cluster does.
    caf::result<void>(lead_atom, bool),
    // The node has left the cluster. True: a newer run of it has joined, and this one has to end.
    caf::result<void>(left_atom, bool)>;

/// The node_agent in full.
using node_root_actor = node_agent_actor::extend_with<lease_owner_actor>::extend<
    // The listeners serve: join the cluster, as a node that others reach under this address.
    caf::result<void>(join_atom, std::string),
    // What was last seen of the cluster; empty without one.
    caf::result<cluster_view_ptr>(view_atom)>;

/// Keeps the node's leases. Detached: it speaks to the database. Child of the node_agent; its death ends the node.
using lease_keeper_actor = caf::typed_actor<
    // Hands everything over, one slot after the other, and leaves; answers when it has.
    caf::result<void>(drain_atom),
    // Something may have changed on another node: look now.
    caf::result<void>(wake_atom),
    // The slot found a newer owner, or cannot go on: its lease is given up.
    caf::result<void>(fenced_atom, slot_id, epoch),
    // The slot's measured load, in events a second.
    caf::result<void>(work_atom, slot_id, double),
    // What was last seen of the cluster.
    caf::result<cluster_view_ptr>(status_atom),
    // INTERNAL: the machine's clock.
    caf::result<void>(tick_atom)>;

} // namespace pulse
