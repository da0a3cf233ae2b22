// From a record's JSON to an event's: a tenant's words for what is where. Numbers keep their digits. Pure.
//
//   {"/type": {"value": "track"}, "/event": "/kind", "/userId": "/customer/id",
//    "/timestamp": {"from": "/created", "as": "epoch_ms"}, "/properties/total": {"from": "/sum", "default": 0}}
//
// Left the place in the event, right where it comes from: a JSON pointer (RFC 6901) into the record ("" is all of it),
// or a constant. What the record does not have, or has as null, is left out unless there is a default.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/event/json_index.hpp"

namespace pulse::source {

class record_mapping {
public:
  /// Of an object; an empty one means that records are events already. Errors: `invalid` with the pointer of the place.
  static result<record_mapping> compile(std::string_view json);

  bool is_empty() const {
    return rules_.empty();
  }

  /// The event's JSON. The record is an object that was parsed. Errors: `invalid`, when a time is none.
  result<std::string> apply(const json_index& record) const;

private:
  enum class conversion : std::uint8_t { none, epoch_ms, epoch_s };

  struct rule {
    /// Of the event, without slashes.
    std::vector<std::string> to;
    bool constant = false;
    std::vector<std::string> from;
    conversion as = conversion::none;
    /// JSON: the constant, or the default (empty: none).
    std::string value;
  };

  friend struct mapping_reader;

  /// Sorted by `to`: members of one object follow on each other.
  std::vector<rule> rules_;
};

} // namespace pulse::source
