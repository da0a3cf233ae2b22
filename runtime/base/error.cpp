#include "base/error.hpp"

namespace pulse {

std::string_view to_string(ec code) {
  switch (code) {
    case ec::malformed: return "malformed";
    case ec::invalid: return "invalid";
    case ec::not_found: return "not_found";
    case ec::conflict: return "conflict";
    case ec::unauthorized: return "unauthorized";
    case ec::forbidden: return "forbidden";
    case ec::too_large: return "too_large";
    case ec::rate_limited: return "rate_limited";
    case ec::unavailable: return "unavailable";
    case ec::timeout: return "timeout";
    case ec::no_space: return "no_space";
    case ec::fenced: return "fenced";
    case ec::corrupt: return "corrupt";
    case ec::unsupported: return "unsupported";
    case ec::internal: return "internal";
  }
  return "internal";
}

bool is_retryable(ec code) {
  switch (code) {
    case ec::rate_limited:
    case ec::unavailable:
    case ec::timeout:
    case ec::no_space: return true;
    case ec::malformed:
    case ec::invalid:
    case ec::not_found:
    case ec::conflict:
    case ec::unauthorized:
    case ec::forbidden:
    case ec::too_large:
    case ec::fenced:
    case ec::corrupt:
    case ec::unsupported:
    case ec::internal: return false;
  }
  return false;
}

int http_status(ec code) {
  switch (code) {
    case ec::malformed: return 400;
    case ec::invalid: return 422;
    case ec::not_found: return 404;
    case ec::conflict: return 409;
    case ec::unauthorized: return 401;
    case ec::forbidden: return 403;
    case ec::too_large: return 413;
    case ec::rate_limited: return 429;
    case ec::unsupported: return 415;
    case ec::unavailable:
    case ec::timeout:
    case ec::no_space:
    case ec::fenced: return 503;
    case ec::corrupt:
    case ec::internal: return 500;
  }
  return 500;
}

} // namespace pulse
