// What travels between a node whose gateway sees a tenant and the one that holds the tenant's slot: of the ingestion
// child there, of trainings, of scores.
#pragma once

#include <caf/all.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "ports/control_store.hpp"
#include "ports/score.hpp"

namespace pulse {

/// What an ingestion child goes by.
struct ingestion_settings {
  tenant_id tenant;
  slot_id slot;
  /// Events a second and their burst; 0: no limit.
  std::int64_t rate = 0;
  std::int64_t burst = 0;
  bool deleted = false;
  /// Counts up with each change that its supervisor saw; the child answers with the one it goes by.
  std::int64_t version = 0;
};

inline ingestion_settings limits_of(const tenant_settings& s, std::int64_t version) {
  return {s.tenant, s.slot, s.rate, s.burst, s.deleted, version};
}

/// A supervisor wants its child on that node: the one that runs there, or a new one.
struct ingestion_order {
  ingestion_settings settings;
  /// Of the lease by which the supervisor's node holds the tenant's slot; 0 without leases.
  pulse::epoch owner;
};

/// A node's gateway sees the tenant: to whoever holds the tenant's slot.
struct attend_note {
  tenant_id tenant;
  slot_id slot;
  std::string node;
};

/// What a training on another node came to: a result of training_outcome, taken apart.
struct training_report {
  bool ok = false;
  /// An ec, where it is not.
  std::int32_t code = 0;
  std::string detail;
  std::string model;
  std::int64_t rows = 0;
  std::string fraud_model;
  std::string fraud_why;
  std::vector<std::string> drifted;
  /// By encode_control.
  std::vector<std::string> controls;
  std::int64_t next_s = 0;
};

/// Events to be scored and not stored: to whoever holds the tenant's slot.
struct score_order {
  tenant_id tenant;
  slot_id slot;
  /// See score_port.
  std::vector<std::string> records;
  /// It came from another node: not handed on again.
  bool handed_on = false;
};

/// A result of score_port, taken apart.
struct score_report {
  bool ok = false;
  /// An ec, where it is not.
  std::int32_t code = 0;
  std::string detail;
  /// The slot is on its way to another node: ask again in a moment.
  bool moving = false;
  std::vector<scored_line> lines;
};

inline score_report not_scored(ec code, std::string detail) {
  return {false, static_cast<std::int32_t>(code), std::move(detail), false, {}};
}

template <class Inspector>
bool inspect(Inspector& f, scored_line& x) {
  return f.object(x).fields(f.field("event", x.event), f.field("code", x.code), f.field("detail", x.detail),
                            f.field("pointer", x.pointer));
}

template <class Inspector>
bool inspect(Inspector& f, score_order& x) {
  return f.object(x).fields(f.field("tenant", x.tenant), f.field("slot", x.slot), f.field("records", x.records),
                            f.field("handed_on", x.handed_on));
}

template <class Inspector>
bool inspect(Inspector& f, score_report& x) {
  return f.object(x).fields(f.field("ok", x.ok), f.field("code", x.code), f.field("detail", x.detail),
                            f.field("moving", x.moving), f.field("lines", x.lines));
}

template <class Inspector>
bool inspect(Inspector& f, training_report& x) {
  return f.object(x).fields(f.field("ok", x.ok), f.field("code", x.code), f.field("detail", x.detail),
                            f.field("model", x.model), f.field("rows", x.rows), f.field("fraud_model", x.fraud_model),
                            f.field("fraud_why", x.fraud_why), f.field("drifted", x.drifted),
                            f.field("controls", x.controls), f.field("next_s", x.next_s));
}

template <class Inspector>
bool inspect(Inspector& f, ingestion_settings& x) {
  return f.object(x).fields(f.field("tenant", x.tenant), f.field("slot", x.slot), f.field("rate", x.rate),
                            f.field("burst", x.burst), f.field("deleted", x.deleted), f.field("version", x.version));
}

template <class Inspector>
bool inspect(Inspector& f, ingestion_order& x) {
  return f.object(x).fields(f.field("settings", x.settings), f.field("owner", x.owner));
}

template <class Inspector>
bool inspect(Inspector& f, attend_note& x) {
  return f.object(x).fields(f.field("tenant", x.tenant), f.field("slot", x.slot), f.field("node", x.node));
}

} // namespace pulse

// With numbers of their own, as in lend.hpp.
CAF_BEGIN_TYPE_ID_BLOCK(pulse_hosting, caf::first_custom_type_id + 230)

CAF_ADD_TYPE_ID(pulse_hosting, (pulse::ingestion_settings))
CAF_ADD_TYPE_ID(pulse_hosting, (pulse::ingestion_order))
CAF_ADD_TYPE_ID(pulse_hosting, (pulse::attend_note))
CAF_ADD_ATOM(pulse_hosting, pulse, attend_atom)
CAF_ADD_ATOM(pulse_hosting, pulse, host_atom)
CAF_ADD_ATOM(pulse_hosting, pulse, part_atom)
CAF_ADD_TYPE_ID(pulse_hosting, (pulse::training_report))
CAF_ADD_TYPE_ID(pulse_hosting, (pulse::score_order))
CAF_ADD_TYPE_ID(pulse_hosting, (pulse::score_report))
CAF_ADD_ATOM(pulse_hosting, pulse, score_atom)

CAF_END_TYPE_ID_BLOCK(pulse_hosting)
