// The map of the system: every actor's interface. The supervision tree of a node:
//
//   node_agent
//   ├─ tenant_supervisor (tenant)     while the tenant is awake; in a cluster where the tenant's slot is held
//   │   ├─ ingestion                  checks, writes to raw, answers: one on each node whose gateway sees the tenant
//   │   ├─ enrichment, scoring        one pass over the tenant's records, in raw order
//   │   ├─ alerting                   tells receivers (its blocking work goes to store_worker)
//   │   └─ kafka_source (source)      reads a topic of the tenant's own
//   ├─ slot_reader (slot)             reads, splits, joins: drives models/slot
//   │   └─ store_writer (slot)        blocking: the slot's transactions
//   ├─ trainer, series_watcher        one piece of work each: a fit, a look at metrics
//   └─ store_worker                   blocking: settings, what is due
#pragma once

#include "actors/hosting.hpp"
#include "actors/lend.hpp"
#include "actors/messages.hpp"

namespace pulse {

/// Where a request for a tenant's ingestion is handed in. Implemented by the node_agent.
using ingest_door_actor = caf::typed_actor<caf::result<void>(ingest_atom, ingest_ptr)>;

/// Takes a tenant's requests: parses, limits, appends to raw. Child of the tenant_supervisor, on a node whose gateway
/// sees the tenant; event-based.
using ingestion_actor = caf::typed_actor<
    // Answers through the request's `done`, when the log says durable.
    caf::result<void>(ingest_atom, ingest_ptr),
    // Goes by these from here on; answers with their version.
    caf::result<std::int64_t>(settings_atom, ingestion_settings),
    // INTERNAL: requests wait for the owner of the tenant's limit.
    caf::result<void>(tick_atom)>;

/// Where a supervisor has its ingestion children: this node or another. Implemented by the node_agent and its peer.
using child_host_actor = caf::typed_actor<
    // The child for its supervisor, who is the sender. An error when the node has heard of a newer owner.
    caf::result<ingestion_actor>(host_atom, ingestion_order)>;

/// Scores one tenant's enriched parts in order. Child of the tenant_supervisor; event-based. Quits when it throws:
/// its state is not to be trusted then.
using scoring_actor = caf::typed_actor<
    // The part's results in order; for a replay none. An error of sec::runtime_error means that the part made it throw.
    caf::result<part_result_ptr>(work_atom, enriched_ptr)>;

/// Reads and enriches one tenant's parts in order, and delegates them to scoring. As scoring in all else.
using enrichment_actor = caf::typed_actor<caf::result<part_result_ptr>(work_atom, part_ptr)>;

/// Tells a tenant's receivers: decides candidates, claims what is due, sends, records. Child of the tenant_supervisor;
/// event-based: the database's part is done by a store_worker, and all state is there.
using alerting_actor = caf::typed_actor<
    // There may be alerts to decide, or deliveries that are due.
    caf::result<void>(alert_atom),
    // INTERNAL: the notifier is done with an attempt.
    caf::result<void>(attempt_end_ptr)>;

/// Reads one of a tenant's own topics into its ingestion. Child of the tenant_supervisor; detached.
using kafka_source_actor = caf::typed_actor<
    // This node still holds the tenant's slot: renews the claim. Without it for a while the child ends.
    caf::result<void>(source_atom),
    // INTERNAL: what became of a batch in the log.
    caf::result<void>(source_answer_ptr),
    // INTERNAL: the next step.
    caf::result<void>(tick_atom)>;

/// Owns a tenant's children on this node, restarts them with back-off, puts them to sleep. Child of the node_agent.
using tenant_supervisor_actor = caf::typed_actor<
    // Makes enrichment and scoring anew from what was loaded; those that run are stopped.
    caf::result<void>(start_atom, load_ptr),
    // A part of a batch or a replay, for the children that `start` made.
    caf::result<part_result_ptr>(work_atom, part_ptr),
    // Enrichment and scoring may go: their state is stored.
    caf::result<void>(release_atom),
    // That node's gateway sees the tenant, whose slot is held here under this epoch: answers when its child is there.
    caf::result<void>(attend_atom, std::string, child_host_actor, std::int64_t),
    // Another supervisor has the child on that node from here on.
    caf::result<void>(part_atom, std::string),
    // There may be alerts to tell, or deliveries that are due.
    caf::result<void>(alert_atom),
    // Lends of the tenant's limit, which is owned under this epoch since that moment (clock::monotonic_ms).
    caf::result<lend_answer>(lend_atom, lend_request, std::int64_t, std::int64_t),
    caf::result<void>(settle_atom, settle_note),
    // A source of the tenant (its id) is to be read here.
    caf::result<void>(source_atom, std::string),
    // INTERNAL: refreshes settings, restarts, quits when idle.
    caf::result<void>(tick_atom)>;

/// One slot's blocking work with the store, on a connection and a thread of its own.
using store_writer_actor =
    caf::typed_actor<caf::result<slot_start_ptr>(take_over_atom), caf::result<commit_ptr>(commit_atom, batch_ptr),
                     // A tenant's images, settings in force, and the versions these name.
                     caf::result<load_ptr>(load_atom, tenant_id),
                     caf::result<artifact_ptr>(fetch_atom, tenant_id, std::string, std::string)>;

/// Drives one slot's state machine. Detached: it reads the log.
using slot_reader_actor = caf::typed_actor<
    // New records may be in raw.
    caf::result<void>(wake_atom),
    // Finishes what was read, images every tenant; answers when done.
    caf::result<void>(drain_atom),
    // The tenant is deleted: what it still has in raw is counted and dropped from now on.
    caf::result<void>(forget_atom, tenant_id), caf::result<status_ptr>(status_atom),
    // What the tenant's children say of events that are not stored, as of what they have seen.
    caf::result<score_report>(score_atom, score_order),
    // INTERNAL: the machine's clock, slow while idle.
    caf::result<void>(tick_atom),
    // INTERNAL: the same, fast while there is work.
    caf::result<void>(beat_atom)>;

/// Blocking work with settings and deliveries, on a connection and a thread of its own. A small fixed number a node.
using store_worker_actor =
    caf::typed_actor<caf::result<settings_ptr>(settings_atom, tenant_id),
                     // What is due of the tenants in these slots.
                     caf::result<due_ptr>(due_atom, std::vector<slot_id>), caf::result<void>(job_atom, job_ptr),
                     caf::result<void>(job_atom, alert_job_ptr)>;

/// Fits a tenant's models on its stored history and has them put in force. One training, then it quits; detached, as a
/// fit takes a core for a while. Child of the node_agent.
using trainer_actor = caf::typed_actor<
    // A training of a kind, by its name (training_kind): the new models' ids and control records; they score from these
    // records on.
    caf::result<training_ptr>(train_atom, tenant_id, std::string)>;

/// One look at a tenant's metric series, then it quits; detached, as the detectors take a while. Child of the
/// node_agent.
using series_watcher_actor = caf::typed_actor<
    // The number of new alerts; they are stored and due.
    caf::result<std::int64_t>(watch_atom, tenant_id)>;

/// One per node: spawns and stops supervisors, answers what runs here, finds what is due.
using node_agent_actor = child_host_actor::extend<
    // To the tenant's ingestion child, which its supervisor is asked for when there is none.
    caf::result<void>(ingest_atom, ingest_ptr), caf::result<tenant_supervisor_actor>(supervisor_atom, tenant_id),
    caf::result<void>(alert_atom, tenant_id),
    // A supervisor's latest settings: its successor goes on with them while the store is away.
    caf::result<void>(settings_atom, tenant_id, settings_ptr),
    // A training of a kind (training_kind); the answer comes when what it made is stored and its control records are on
    // their way.
    caf::result<training_ptr>(train_atom, tenant_id, std::string),
    // Puts a stored version in force: sends its control record to the tenant's partition.
    caf::result<void>(control_atom, tenant_id, control_ptr),
    // Every slot finishes what it read and images its tenants; answers when all have.
    caf::result<void>(drain_atom), caf::result<statuses_ptr>(status_atom),
    // INTERNAL: looks for work that is due.
    caf::result<void>(tick_atom)>;

} // namespace pulse

// Room for what is added above: the numbers are those on the wire.
CAF_BEGIN_TYPE_ID_BLOCK(pulse_handles, caf::first_custom_type_id + 100)

CAF_ADD_TYPE_ID(pulse_handles, (pulse::tenant_supervisor_actor))
CAF_ADD_TYPE_ID(pulse_handles, (pulse::ingestion_actor))
CAF_ADD_TYPE_ID(pulse_handles, (pulse::child_host_actor))

CAF_END_TYPE_ID_BLOCK(pulse_handles)
