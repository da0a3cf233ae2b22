#include "ports/key_directory.hpp"

namespace pulse {

std::string_view to_string(scope s) {
  switch (s) {
    case scope::ingest: return "ingest";
    case scope::read: return "read";
    case scope::admin: return "admin";
    case scope::publishable: return "publishable";
  }
  return "";
}

std::optional<scope> parse_scope(std::string_view name) {
  for (auto s : {scope::ingest, scope::read, scope::admin, scope::publishable})
    if (name == to_string(s))
      return s;
  return std::nullopt;
}

} // namespace pulse
