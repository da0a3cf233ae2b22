#include "ports/alert_store.hpp"

namespace pulse {

std::string_view to_string(recorded r) {
  switch (r) {
    case recorded::delivered: return "delivered";
    case recorded::retry: return "retry";
    case recorded::failed: return "failed";
    case recorded::disabled: return "disabled";
    case recorded::stale: return "stale";
  }
  return "";
}

} // namespace pulse
