// How a gateway's ingestion borrows of a tenant's limit from its owner, on this node or another: what travels for it.
#pragma once

#include <caf/all.hpp>
#include <cstdint>

#include "base/ids.hpp"
#include "models/quota/lender.hpp"

namespace pulse {

struct lend_request {
  tenant_id tenant;
  slot_id slot;
  /// One run of one gateway's ingestion; its requests count up.
  std::uint64_t gateway = 0;
  std::uint64_t request = 0;
  /// Of its loans up to this one nothing is left.
  std::uint64_t settled = 0;
  std::int64_t need = 0;
  std::int64_t want = 0;
  /// It came from another node: not handed on again.
  bool handed_on = false;
};

struct lend_answer {
  /// No owner within reach.
  bool away = false;
  epoch owner;
  loan what;
};

struct settle_note {
  tenant_id tenant;
  slot_id slot;
  std::uint64_t gateway = 0;
  std::uint64_t through = 0;
  bool handed_on = false;
};

template <class Inspector>
bool inspect(Inspector& f, lend_request& x) {
  return f.object(x).fields(f.field("tenant", x.tenant), f.field("slot", x.slot), f.field("gateway", x.gateway),
                            f.field("request", x.request), f.field("settled", x.settled), f.field("need", x.need),
                            f.field("want", x.want), f.field("handed_on", x.handed_on));
}

template <class Inspector>
bool inspect(Inspector& f, loan& x) {
  return f.object(x).fields(f.field("granted", x.granted), f.field("usable_ms", x.usable_ms),
                            f.field("retry_after_ms", x.retry_after_ms));
}

template <class Inspector>
bool inspect(Inspector& f, lend_answer& x) {
  return f.object(x).fields(f.field("away", x.away), f.field("owner", x.owner), f.field("what", x.what));
}

template <class Inspector>
bool inspect(Inspector& f, settle_note& x) {
  return f.object(x).fields(f.field("tenant", x.tenant), f.field("slot", x.slot), f.field("gateway", x.gateway),
                            f.field("through", x.through), f.field("handed_on", x.handed_on));
}

} // namespace pulse

// With numbers of their own, far from the others', so that both lists can grow.
CAF_BEGIN_TYPE_ID_BLOCK(pulse_lend, caf::first_custom_type_id + 200)

CAF_ADD_TYPE_ID(pulse_lend, (pulse::lend_request))
CAF_ADD_TYPE_ID(pulse_lend, (pulse::loan))
CAF_ADD_TYPE_ID(pulse_lend, (pulse::lend_answer))
CAF_ADD_TYPE_ID(pulse_lend, (pulse::settle_note))
CAF_ADD_ATOM(pulse_lend, pulse, lend_atom)
CAF_ADD_ATOM(pulse_lend, pulse, settle_atom)

CAF_END_TYPE_ID_BLOCK(pulse_lend)

namespace pulse {

/// Where a node's ingestion children borrow. Implemented by the node_agent, which knows who owns which tenant.
using lend_desk_actor = caf::typed_actor<
    // A slice of the tenant's limit, or when to ask again.
    caf::result<lend_answer>(lend_atom, lend_request),
    // Nothing is left of the loans up to this one.
    caf::result<void>(settle_atom, settle_note)>;

} // namespace pulse
