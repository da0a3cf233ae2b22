#include "http/middleware/request_context.hpp"

#include <algorithm>
#include <array>

#include "base/encoding.hpp"

namespace pulse::http {

namespace {

constexpr std::string_view blanks = " \t";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  return first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool zeros(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

/// version-trace-parent-flags: 2, 32, 16 and 2 digits; versions after 00 may have more behind.
bool valid_traceparent(std::string_view text) {
  if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-')
    return false;
  const auto version = text.substr(0, 2);
  if (version == "ff" || (version == "00" ? text.size() != 55 : text.size() > 55 && text[55] != '-'))
    return false;
  return lower_hex(version) && lower_hex(text.substr(3, 32)) && lower_hex(text.substr(36, 16)) &&
         lower_hex(text.substr(53, 2)) && !zeros(text.substr(3, 32)) && !zeros(text.substr(36, 16));
}

} // namespace

std::string take_request_id(std::string_view given, random_source& random) {
  constexpr std::string_view sane = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._:-";
  if (!given.empty() && given.size() <= 128 && given.find_first_not_of(sane) == std::string_view::npos)
    return std::string(given);
  return random.next_uuid().str();
}

trace_context take_traceparent(std::string_view given, random_source& random) {
  trace_context out;
  if (valid_traceparent(given)) {
    from_hex(given.substr(3, 32), out.trace.value.bytes);
    out.traceparent = "00" + std::string(given.substr(2, 53));
    return out;
  }
  std::array<std::uint8_t, 8> span{};
  random.fill(out.trace.value.bytes);
  random.fill(span);
  out.traceparent = "00-" + out.trace.hex() + "-" + to_hex(span) + "-01";
  return out;
}

std::string client_address(const ip_address& peer, const header_list& headers, std::span<const cidr> trusted) {
  auto last = peer;
  if (!contains(trusted, peer))
    return last.str();
  // Several fields of the name are one list (RFC 9110 section 5.3).
  std::string all;
  for (const auto& [name, value] : headers.fields())
    if (equal_no_case(name, "X-Forwarded-For"))
      all += (all.empty() ? "" : ",") + value;
  std::string_view rest = all;
  while (!rest.empty()) {
    const auto comma = rest.rfind(',');
    const auto part = trim(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(0, comma);
    const auto hop = ip_address::parse(part);
    if (!hop)
      break;
    last = *hop;
    if (!contains(trusted, last))
      break;
  }
  return last.str();
}

bool content_type_taken(std::string_view content_type, std::span<const std::string> allowed) {
  const auto type = trim(content_type.substr(0, content_type.find(';')));
  if (type.empty() || allowed.empty())
    return true;
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& a) { return equal_no_case(a, type); });
}

} // namespace pulse::http
