// What a route says about a body, and the little that is asked of a body before it is parsed.
#include <limits>

#include "models/event/body_splitter.hpp"
#include "models/event/request_parser.hpp"

namespace pulse {

std::optional<request_shape> shape_of_route(std::string_view word) {
  static constexpr std::pair<std::string_view, request_shape> routes[] = {
      {"events", request_shape::events}, {"batch", request_shape::batch}, {"b", request_shape::batch},
      {"track", request_shape::track},   {"t", request_shape::track},     {"identify", request_shape::identify},
      {"i", request_shape::identify},    {"page", request_shape::page},   {"p", request_shape::page},
      {"screen", request_shape::screen}, {"s", request_shape::screen},    {"group", request_shape::group},
      {"g", request_shape::group},       {"alias", request_shape::alias}, {"a", request_shape::alias},
  };
  for (const auto& [name, shape] : routes)
    if (name == word)
      return shape;
  return std::nullopt;
}

std::string_view to_string(verdict_result r) {
  switch (r) {
    case verdict_result::ok: return "ok";
    case verdict_result::warning: return "warning";
    case verdict_result::rejected: return "rejected";
  }
  return "rejected";
}

std::string find_write_key(std::string_view body) {
  thread_local json_index index;
  const auto split = split_batch(body, std::numeric_limits<std::size_t>::max());
  std::string text(body);
  if (split.ok) {
    text = "{";
    for (auto field : split.fields)
      text.append(text.size() > 1 ? "," : "").append(field);
    text += "}";
  }
  if (index.parse(text) != json_fault::none)
    return {};
  const auto key = index.find(index.root(), "writeKey");
  return has_text(key) ? std::string(key->text) : std::string{};
}

} // namespace pulse
