// The value of a record of the raw log: JSON, version 1, with the event's own JSON in it as it came. Written by
// ingestion, read by the slot and by operators' own consumers.
//
//   {"v":1,"k":"event","id":"…","m":"message id","t":"track","o":occurred ms,"r":received ms,"timed":true,
//    "test":true,"ip":"…","trace":"32 hex","notes":[{"c":"code","p":"/pointer","d":"detail"}],
//    "ctx":{batch context},"body":{the event}}
//
// `k` is event, refused or control. Fields that are empty or false are left out. What was refused may be no JSON: it
// stands as a string in `text`, or, where it is no UTF-8, as base64 in `bytes`.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "models/event/event.hpp"

namespace pulse {

std::string encode(const raw_event& raw);

/// Errors: `corrupt` for a record that this program did not write, `unsupported` for a newer version.
result<raw_event> decode(std::string_view record);

} // namespace pulse
