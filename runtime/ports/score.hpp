// Port: scores for requests that store nothing. Implemented by the node: it asks the children of whoever holds the
// tenant's slot.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pulse {

/// What the pipeline says of one event: the event with its risk, or why it could not be taken.
struct scored_line {
  /// JSON (see scored_event_json); empty where it was not taken.
  std::string event;
  std::string code;
  std::string detail;
  std::string pointer;
};

/// `records`: as encode (models/event/raw_codec) writes them, of test events. `done` is called once, on any thread,
/// with a line for each; it may come after the caller has gone. Errors: `unavailable`, `timeout`, `not_found`; never
/// blocks.
using score_port = std::function<void(tenant_id tenant, std::vector<std::string> records,
                                      std::function<void(result<std::vector<scored_line>>)> done)>;

} // namespace pulse
