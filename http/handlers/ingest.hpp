// The routes that take events: Segment's, with the browser's short forms, and /v1/events.
#pragma once

#include <vector>

#include "http/middleware/message.hpp"
#include "ports/ingest.hpp"

namespace pulse::http {

std::vector<route> ingest_routes(ingest_port port);

/// What a body with events may be called.
std::vector<std::string> event_body_types();

} // namespace pulse::http
