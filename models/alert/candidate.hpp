// The alert that a flagged event is a candidate for: written in the slot's transaction when the event was really
// inserted, so that nobody is told of what is not stored, or twice.
#pragma once

#include <optional>
#include <string>

#include "models/event/event.hpp"

namespace pulse::alert {

/// Events older than this when they arrive (imports, backfill) are scored and kept, never alerted.
inline constexpr std::int64_t stale_after_ms = day_ms;

struct candidate {
  uuid alert_id;
  std::string type;
  std::string severity;
  std::string title;
  std::string summary;
  /// The `data` object of the alert's body (docs: api.md, alert body), without what only delivery knows.
  std::string data;
};

/// hash of (tenant, event id or incident key, kind): the same alert has one id on every attempt and replay.
uuid alert_id(tenant_id tenant, std::string_view subject, std::string_view kind);

/// Nothing for events that are not flagged, test events, and stale ones.
std::optional<candidate> candidate_of(const event& e);

} // namespace pulse::alert
