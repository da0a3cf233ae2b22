// The strict look at a request's head before the parser sees it: whatever two servers in a row could read in two
// ways (request smuggling, RFC 9112 section 11.2) is refused. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace pulse::http {

struct head_limits {
  std::size_t target_bytes_max = 8192;
  std::size_t fields_max = 100;
};

/// Why a head is refused. The connection must be closed after the answer: where the request ends is not known.
struct head_fault {
  /// 400, 414, 431, 501 or 505.
  int status = 400;
  std::string code;
  std::string detail;
};

/// `head` is everything up to and with the empty line. Refused: bare CR or LF, NUL and control characters, folded
/// lines, blanks before the colon, an odd request line, no or several Host fields, several or odd Content-Length,
/// Content-Length beside Transfer-Encoding, any Transfer-Encoding but one `chunked`, chunked in HTTP/1.0.
std::optional<head_fault> check_head(std::string_view head, const head_limits& limits = {});

} // namespace pulse::http
