// A rule of a mapping after compilation. Inner to mapping*.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/enrichment/json_edit.hpp"
#include "models/enrichment/mapping.hpp"

namespace pulse {

enum class mapping_op : std::uint8_t { rename, cast, fill, drop, set };
enum class mapping_cast : std::uint8_t { number, integer, string, boolean };

/// A place in one of the two documents, or a field of the event itself.
struct mapping_target {
  enum class place : std::uint8_t { properties, context, field };

  place in = place::properties;
  json_path path;
  /// Text field of the event that `field` names.
  std::string event::*member = nullptr;
  /// The standard field's name, for provenance; empty for a plain place.
  std::string field;
};

struct compiled_mapping::rule {
  mapping_op op = mapping_op::set;
  /// Where a rename and a set by `from` take the value.
  std::optional<mapping_target> from;
  mapping_target to;
  /// JSON text of the constant.
  std::string value;
  mapping_cast type = mapping_cast::string;
  /// Only for events that came under this name; empty for all.
  std::string event_name;
};

/// Nothing for a text that is no path into an event.
std::optional<mapping_target> parse_mapping_target(std::string_view path);

} // namespace pulse
