// An event as JSON: the columns of the store that hold JSON, and the records of the topics that others read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/event/event.hpp"

namespace pulse {

std::string products_json(const std::vector<order_line>& lines);
std::string parts_json(const std::vector<risk_part>& parts);
/// What parts_json wrote; empty for anything else.
std::vector<risk_part> read_parts(std::string_view json);
/// Field to rule.
std::string origins_json(const std::vector<provenance>& origins);
std::string notes_json(const std::vector<note>& notes);
/// `{"amount":"12.50","currency":"EUR"}`.
std::string money_json(const money& m);

/// Version 1 of what the topics `enriched` (without risk) and `scored` hold: the public form of a stored event, with
/// `tenant` and `test` in front.
std::string event_json(const event& e, bool with_risk);

/// The public form of a stored event, of one that was scored and not stored.
std::string scored_event_json(const event& e);

} // namespace pulse
