// A record of a tenant's topic as an event for the raw log. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "models/event/request_parser.hpp"
#include "models/source/record_mapping.hpp"

namespace pulse::source {

struct record {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  /// The record's own time (its maker's or the broker's); 0: it has none.
  std::int64_t time_ms = 0;
  std::string value;
};

/// The topic that records come from.
struct origin {
  std::string topic;
  /// Kafka's id of it: a topic that is deleted and made again under the name is another one.
  std::string topic_id;
};

/// The event, or a refused one, whose first note has the place in the topic. The refused one's body is the record as it
/// came, or the mapped event where it is that which lacks something. An event without a message id gets one of
/// topic id, partition and offset, and one without a time the record's: read again it is the same event. `context` as
/// for a request.
parsed_event to_event(const record& r, const origin& from, const record_mapping& mapping,
                      const request_context& context);

} // namespace pulse::source
