// The request target: path and query, percent-decoded (RFC 3986). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "http/middleware/message.hpp"

namespace pulse::http {

struct target {
  /// Still encoded, begins with `/` (or is `*`).
  std::string raw_path;
  std::string path;
  name_values query;
};

/// `malformed` for a bad percent sequence, an encoded NUL or more than 200 query parameters. `plus_is_blank` in
/// queries.
result<target> parse_target(std::string_view text);

result<std::string> percent_decode(std::string_view text, bool plus_is_blank);

} // namespace pulse::http
