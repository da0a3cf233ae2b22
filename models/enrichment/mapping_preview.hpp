// What a mapping would make of an event, beside what the event is: for a dry run.
#pragma once

#include <string>
#include <vector>

#include "models/enrichment/mapping.hpp"

namespace pulse {

struct mapping_change {
  /// `add`, `remove`, `replace` (RFC 6902), at a pointer into {properties, context, order_id, amount, products}.
  std::string op;
  std::string pointer;
  /// JSON texts; empty where there is nothing.
  std::string before;
  std::string after;
};

struct mapping_preview {
  std::vector<mapping_change> changes;
  /// Rules that could not be carried out on this event.
  std::vector<note> warnings;
};

/// `before` is taken as it is; `fallback` is the tenant's currency.
mapping_preview preview_mapping(const compiled_mapping& mapping, const event& before, currency fallback);

} // namespace pulse
