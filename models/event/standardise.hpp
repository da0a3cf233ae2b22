// The second reading of an event: from a record of the raw log to the shape that enrichment, scoring and the store
// work on. First step of the slot's enrichment child.
#pragma once

#include "base/error.hpp"
#include "models/event/event.hpp"

namespace pulse {

/// Fills everything that comes from the client: who, what, when, order, lines, exact amount, e-mail, addresses,
/// properties (traits for identify and group calls) and context (the batch's merged under the event's own, field by
/// field). An amount without a currency is in `fallback`, the tenant's own.
/// Errors: `malformed` where the body can't be read again (poison: the door lets no such event through).
result<event> to_event(const raw_event& raw, tenant_id tenant, currency fallback = {});

/// Reads anew what comes out of properties, context and name (order, lines, amount, e-mail, addresses), after a mapping
/// changed them.
void read_again(event& e, currency fallback);

} // namespace pulse
