// A stored event as scoring and rules see it: for trying again what was decided.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "http/handlers/deciders.hpp"
#include "models/features/features.hpp"
#include "ports/query_store.hpp"

namespace pulse::http {

/// As far as it is stored.
event event_of(const stored_event& s);

/// Its features as they were scored; unknown where they are not stored.
features::row row_of(const stored_event& s);

/// The tenant's lists in force; null where none were published. Error: that of the store.
result<std::shared_ptr<const rules::compiled_lists>> lists_in_force(query_store& store, tenant_id tenant);

/// The smallest change that would have had another outcome: `{"from","to","changes":[{"name","from","to"}]}`; without
/// changes when none was found. Nothing when the rules or lists cannot be read.
std::optional<std::string> flip_json(const deciders& d, const event& e, const features::row& row);

} // namespace pulse::http
