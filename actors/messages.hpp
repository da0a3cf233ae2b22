// What the actors send each other, and the numbers of these types on the wire: append only. Large values go as shared
// pointers: they are handed over, never copied, and stay on their node.
#pragma once

#include <caf/all.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "models/slot/stages.hpp"
#include "ports/alert_store.hpp"
#include "ports/control_store.hpp"
#include "ports/ingest.hpp"
#include "ports/notifier.hpp"
#include "ports/slot_store.hpp"
#include "ports/source_store.hpp"

namespace pulse {

/// What a slot's children start from, as the writer loaded it.
struct tenant_load {
  log_offset as_of{-1};
  /// See tenant_start.
  std::vector<log_offset> set_aside;
  slot::stage_start start;
};

/// What a training came to.
struct training_outcome {
  std::string model;
  std::size_t rows = 0;
  /// Id of a fraud model that passed; else empty, and why.
  std::string fraud_model;
  std::string fraud_why;
  /// What drifted, by name, where that was looked at.
  std::vector<std::string> drifted;
  /// They put in force what passed.
  std::vector<slot::control> controls;
  /// When it is worth fitting again, in seconds.
  std::int64_t next_s = 0;
};

struct slot_status {
  slot_id slot;
  log_offset position;
  log_offset end;
  std::size_t batches_in_flight = 0;
  std::size_t tenants_awake = 0;
  std::string state;
};

using part_ptr = std::shared_ptr<slot::part>;
using enriched_ptr = std::shared_ptr<slot::enriched_part>;
using part_result_ptr = std::shared_ptr<slot::part_result>;
using batch_ptr = std::shared_ptr<const slot::batch>;
using load_ptr = std::shared_ptr<result<tenant_load>>;
using slot_start_ptr = std::shared_ptr<result<slot_start>>;
using commit_ptr = std::shared_ptr<result<commit_outcome>>;
using artifact_ptr = std::shared_ptr<result<slot::artifact>>;
using settings_ptr = std::shared_ptr<result<tenant_settings>>;
using due_ptr = std::shared_ptr<result<std::vector<due_work>>>;
using status_ptr = std::shared_ptr<const slot_status>;
using statuses_ptr = std::shared_ptr<std::vector<slot_status>>;
/// A piece of blocking work with a store of its own: done by a store_worker.
using store_job = std::function<void(control_store&)>;
using job_ptr = std::shared_ptr<store_job>;
using training_ptr = std::shared_ptr<result<training_outcome>>;
using control_ptr = std::shared_ptr<const slot::control>;
/// The same with the store of alerts.
using alert_job = std::function<void(alert_store&)>;
using alert_job_ptr = std::shared_ptr<alert_job>;

/// How an attempt to tell a receiver ended.
struct attempt_end {
  claimed_delivery what;
  result<http_reply> reply;
};
using attempt_end_ptr = std::shared_ptr<attempt_end>;

/// What became of a source's batch in the log.
struct source_answer {
  std::uint64_t batch = 0;
  source::batch_answer what;
};
using source_answer_ptr = std::shared_ptr<const source_answer>;

} // namespace pulse

CAF_BEGIN_TYPE_ID_BLOCK(pulse, caf::first_custom_type_id)

CAF_ADD_TYPE_ID(pulse, (pulse::tenant_id))
CAF_ADD_TYPE_ID(pulse, (pulse::slot_id))
CAF_ADD_TYPE_ID(pulse, (pulse::ingest_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::part_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::enriched_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::part_result_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::batch_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::load_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::slot_start_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::commit_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::artifact_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::settings_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::due_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::status_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::job_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::statuses_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::training_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::control_ptr))

CAF_ADD_ATOM(pulse, pulse, ingest_atom)
CAF_ADD_ATOM(pulse, pulse, work_atom)
CAF_ADD_ATOM(pulse, pulse, start_atom)
CAF_ADD_ATOM(pulse, pulse, release_atom)
CAF_ADD_ATOM(pulse, pulse, commit_atom)
CAF_ADD_ATOM(pulse, pulse, load_atom)
CAF_ADD_ATOM(pulse, pulse, fetch_atom)
CAF_ADD_ATOM(pulse, pulse, take_over_atom)
CAF_ADD_ATOM(pulse, pulse, settings_atom)
CAF_ADD_ATOM(pulse, pulse, supervisor_atom)
CAF_ADD_ATOM(pulse, pulse, alert_atom)
CAF_ADD_ATOM(pulse, pulse, tick_atom)
CAF_ADD_ATOM(pulse, pulse, wake_atom)
CAF_ADD_ATOM(pulse, pulse, drain_atom)
CAF_ADD_ATOM(pulse, pulse, status_atom)
CAF_ADD_ATOM(pulse, pulse, job_atom)
CAF_ADD_ATOM(pulse, pulse, due_atom)
CAF_ADD_ATOM(pulse, pulse, beat_atom)
CAF_ADD_ATOM(pulse, pulse, train_atom)
CAF_ADD_ATOM(pulse, pulse, control_atom)
CAF_ADD_TYPE_ID(pulse, (pulse::alert_job_ptr))
CAF_ADD_TYPE_ID(pulse, (pulse::attempt_end_ptr))
CAF_ADD_ATOM(pulse, pulse, forget_atom)
CAF_ADD_TYPE_ID(pulse, (std::vector<pulse::slot_id>))
CAF_ADD_ATOM(pulse, pulse, watch_atom)
CAF_ADD_ATOM(pulse, pulse, source_atom)
CAF_ADD_TYPE_ID(pulse, (pulse::source_answer_ptr))

CAF_END_TYPE_ID_BLOCK(pulse)

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::ingest_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::part_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::enriched_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::part_result_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::batch_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::load_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::slot_start_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::commit_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::artifact_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::settings_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::due_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::status_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::job_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::statuses_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::training_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::control_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::alert_job_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::attempt_end_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(pulse::source_answer_ptr)
