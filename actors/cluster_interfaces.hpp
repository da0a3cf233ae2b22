// The actors by which nodes share the slots, and what they send: beside interfaces.hpp, with numbers of their own. On
// one node with the embedded log only the node_agent runs.
//
//   node_agent (is a lease_owner and a lend_desk)
//   ├─ lease_keeper                   one a node: drives models/cluster/keeper with the database
//   ├─ connector                      one a node: keeps a direct link to every other node
//   └─ peer                           one a node, published on its port: what the others may ask
#pragma once

#include "actors/interfaces.hpp"
#include "models/cluster/types.hpp"

namespace pulse {

using cluster_view_ptr = std::shared_ptr<const cluster::view>;

namespace cluster {

template <class Inspector>
bool inspect(Inspector& f, census& x) {
  return f.object(x).fields(f.field("node", x.node), f.field("links", x.links), f.field("supervisors", x.supervisors),
                            f.field("ingestion", x.ingestion), f.field("ingestion_of_others", x.ingestion_of_others),
                            f.field("ingestion_alone", x.ingestion_alone));
}

} // namespace cluster

} // namespace pulse

CAF_BEGIN_TYPE_ID_BLOCK(pulse_cluster, caf::first_custom_type_id + 130)

CAF_ADD_TYPE_ID(pulse_cluster, (pulse::epoch))
CAF_ADD_TYPE_ID(pulse_cluster, (pulse::cluster_view_ptr))
CAF_ADD_ATOM(pulse_cluster, pulse, lead_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, left_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, fenced_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, join_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, view_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, hint_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, hello_atom)
CAF_ADD_ATOM(pulse_cluster, pulse, peer_atom)
CAF_ADD_TYPE_ID(pulse_cluster, (pulse::cluster::census))
CAF_ADD_TYPE_ID(pulse_cluster, (std::vector<pulse::cluster::census>))
CAF_ADD_ATOM(pulse_cluster, pulse, census_atom)

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
    caf::result<void>(left_atom, bool),
    // What was just seen of the cluster.
    caf::result<void>(view_atom, cluster_view_ptr),
    // This node changed the cluster's rows: others may want to look.
    caf::result<void>(hint_atom)>;

/// The node_agent in full.
using node_root_actor = node_agent_actor::extend_with<lease_owner_actor>::extend_with<lend_desk_actor>::extend<
    // The listeners serve: open the node's port and join the cluster. Answers with the port's address.
    caf::result<std::string>(join_atom),
    // Another node says that something may have changed.
    caf::result<void>(wake_atom),
    // Another node's gateway sees a tenant whose slot should be held here: answers when the tenant's child is there.
    caf::result<void>(attend_atom, attend_note),
    // Another node has a training done here.
    caf::result<training_report>(host_atom, tenant_id, std::string),
    // Scores without storing, by whoever holds the tenant's slot; where that is not known yet the order's slot says
    // nothing.
    caf::result<score_report>(score_atom, score_order),
    // The link to another node, and the wire version both speak; without an actor: there is none any more.
    caf::result<void>(peer_atom, std::string, caf::strong_actor_ptr, std::int32_t),
    // What was last seen of the cluster; empty without one.
    caf::result<cluster_view_ptr>(view_atom),
    // What runs here, or on every node that answers within a second.
    caf::result<std::vector<cluster::census>>(census_atom, bool)>;

/// Of the messages between nodes: a node speaks this one and the last, so that nodes can be renewed one by one. A link
/// goes by the lesser of both ends' versions.
inline constexpr std::int32_t wire_version = 3;
/// Since this one a node scores for others.
inline constexpr std::int32_t scoring_wire = 3;

/// What nodes of the last wire version answer to the others.
using last_peer_actor = caf::typed_actor<
    // A hello of wire version 1, which the last one asks for and nobody sends.
    caf::result<std::string>(hello_atom, std::string, std::string, caf::strong_actor_ptr),
    // Something may have changed in the cluster's rows: look now.
    caf::result<void>(wake_atom),
    // As lend_desk_actor.
    caf::result<lend_answer>(lend_atom, lend_request), caf::result<void>(settle_atom, settle_note),
    // A node, a run of it, where that one is asked, and the wire version that the sender goes by; answered with the run
    // of this node. Says that the link works.
    caf::result<std::string>(hello_atom, std::string, std::string, caf::strong_actor_ptr, std::int32_t),
    // As node_root_actor.
    caf::result<void>(attend_atom, attend_note),
    // As child_host_actor.
    caf::result<ingestion_actor>(host_atom, ingestion_order),
    // A training of a kind: its control records are the asker's to send.
    caf::result<training_report>(train_atom, tenant_id, std::string),
    // What runs here.
    caf::result<std::vector<cluster::census>>(census_atom)>;

/// What a node answers to the others: only what may travel. Published on the node's port. Child of the node_agent.
using peer_actor = last_peer_actor::extend<
    // As node_root_actor.
    caf::result<score_report>(score_atom, score_order)>;

/// Keeps the links to the other nodes. Detached: it probes before it dials. Child of the node_agent.
using connector_actor = caf::typed_actor<
    // What this node's hello names; before it nothing is dialled.
    caf::result<void>(join_atom, caf::strong_actor_ptr),
    // A node has said hello by this wire version: it is linked.
    caf::result<void>(hello_atom, std::string, std::string, caf::strong_actor_ptr, std::int32_t),
    // INTERNAL: dials what is not linked.
    caf::result<void>(tick_atom)>;

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
