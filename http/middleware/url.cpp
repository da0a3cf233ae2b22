#include "http/middleware/url.hpp"

#include <array>

#include "base/encoding.hpp"

namespace pulse::http {

namespace {

constexpr std::size_t parameters_max = 200;

result<name_values> parse_query(std::string_view text) {
  name_values out;
  while (!text.empty()) {
    const auto end = text.find('&');
    const auto part = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (part.empty())
      continue;
    if (out.size() == parameters_max)
      return error{ec::malformed, "more than 200 query parameters", ""};
    const auto equals = part.find('=');
    auto name = percent_decode(part.substr(0, equals), true);
    auto value = percent_decode(equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1), true);
    if (!name)
      return name.err();
    if (!value)
      return value.err();
    out.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

} // namespace

result<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(plus_is_blank && text[i] == '+' ? ' ' : text[i]);
      continue;
    }
    std::array<std::uint8_t, 1> byte{};
    if (i + 2 >= text.size() || !from_hex(text.substr(i + 1, 2), byte) || byte[0] == 0)
      return error{ec::malformed, "the request target has a bad percent sequence", ""};
    out.push_back(static_cast<char>(byte[0]));
    i += 2;
  }
  return out;
}

result<target> parse_target(std::string_view text) {
  target out;
  // The absolute form is for proxies, but RFC 9112 has every server take it.
  for (std::string_view scheme : {"http://", "https://"}) {
    if (!equal_no_case(text.substr(0, scheme.size()), scheme))
      continue;
    text.remove_prefix(scheme.size());
    const auto slash = text.find_first_of("/?");
    text = slash == std::string_view::npos ? std::string_view("/") : text.substr(slash);
  }
  const auto mark = text.find('?');
  out.raw_path = std::string(text.substr(0, mark));
  if (!out.raw_path.starts_with('/') && out.raw_path != "*")
    return error{ec::malformed, "the request target must begin with a slash", ""};
  auto path = percent_decode(out.raw_path, false);
  if (!path)
    return path.err();
  out.path = std::move(*path);
  if (mark != std::string_view::npos) {
    auto query = parse_query(text.substr(mark + 1));
    if (!query)
      return query.err();
    out.query = std::move(*query);
  }
  return out;
}

} // namespace pulse::http
