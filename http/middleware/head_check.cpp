#include "http/middleware/head_check.hpp"

#include <algorithm>

#include "http/middleware/message.hpp"

namespace pulse::http {

namespace {

head_fault malformed(std::string detail) {
  return {400, "malformed", std::move(detail)};
}

bool is_token_char(char c) {
  // RFC 9110 section 5.6.2.
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         marks.find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_control(char c) {
  const auto u = static_cast<unsigned char>(c);
  return (u < 0x20 && c != '\t') || u == 0x7f;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view blanks = " \t";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::optional<head_fault> check_request_line(std::string_view line, const head_limits& limits, bool& version_1_0) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return malformed("the request line is not METHOD TARGET VERSION");
  const auto method = line.substr(0, first);
  const auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 32)
    return malformed("the method is no token");
  if (target.size() > limits.target_bytes_max)
    return head_fault{414, "uri_too_long", "the request target is longer than the limit"};
  const bool bad_target = target.empty() || std::any_of(target.begin(), target.end(), [](char c) {
                            return static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f;
                          });
  if (bad_target)
    return malformed("the request target has blanks or characters that must be encoded");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.starts_with("HTTP/"))
      return head_fault{505, "version_not_supported", "HTTP/1.1 is spoken here"};
    return malformed("the request line is not METHOD TARGET VERSION");
  }
  version_1_0 = version == "HTTP/1.0";
  return std::nullopt;
}

struct framing {
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  std::size_t encodings = 0;
  std::string_view length;
  std::string_view encoding;
};

std::optional<head_fault> check_field(std::string_view line, framing& seen) {
  if (line.front() == ' ' || line.front() == '\t')
    return malformed("folded header lines are not taken");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return malformed("a header line is not NAME: VALUE");
  const auto name = line.substr(0, colon);
  const auto value = trim(line.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(), is_control))
    return malformed("a header value has control characters");
  if (equal_no_case(name, "Host"))
    ++seen.hosts;
  if (equal_no_case(name, "Content-Length")) {
    ++seen.lengths;
    seen.length = value;
  }
  if (equal_no_case(name, "Transfer-Encoding")) {
    ++seen.encodings;
    seen.encoding = value;
  }
  return std::nullopt;
}

std::optional<head_fault> check_framing(const framing& seen, bool version_1_0) {
  if (seen.hosts > 1 || (seen.hosts == 0 && !version_1_0))
    return malformed("exactly one Host field is wanted");
  if (seen.lengths > 1)
    return malformed("more than one Content-Length");
  if (seen.lengths == 1 && seen.encodings > 0)
    return malformed("Content-Length beside Transfer-Encoding");
  const bool bad_length = seen.length.empty() || seen.length.size() > 18 ||
                          seen.length.find_first_not_of("0123456789") != std::string_view::npos;
  if (seen.lengths == 1 && bad_length)
    return malformed("Content-Length is no number");
  if (seen.encodings == 0)
    return std::nullopt;
  if (version_1_0)
    return malformed("Transfer-Encoding in HTTP/1.0");
  if (seen.encodings > 1 || !equal_no_case(seen.encoding, "chunked"))
    return malformed("the only Transfer-Encoding that is taken is one `chunked`");
  return std::nullopt;
}

} // namespace

std::optional<head_fault> check_head(std::string_view head, const head_limits& limits) {
  bool version_1_0 = false;
  framing seen;
  for (std::size_t number = 0; !head.empty(); ++number) {
    const auto end = head.find_first_of("\r\n");
    if (end == std::string_view::npos || !head.substr(end).starts_with("\r\n"))
      return malformed("lines must end in CR LF");
    const auto line = head.substr(0, end);
    head.remove_prefix(end + 2);
    if (line.empty()) {
      if (number == 0 || !head.empty())
        return malformed("an empty line where none belongs");
      return check_framing(seen, version_1_0);
    }
    if (number > limits.fields_max)
      return head_fault{431, "header_too_large", "more header fields than the limit"};
    auto fault = number == 0 ? check_request_line(line, limits, version_1_0) : check_field(line, seen);
    if (fault)
      return fault;
  }
  return malformed("the head does not end in an empty line");
}

} // namespace pulse::http
