#include "http/middleware/api_key.hpp"

#include <algorithm>
#include <array>

namespace pulse::http {

namespace {

constexpr std::size_t prefix_size = 8;
constexpr std::size_t id_size = 12;
constexpr std::size_t secret_size = 32;
constexpr std::string_view base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

void append_base62(std::string& out, std::size_t n, random_source& random) {
  while (n > 0) {
    std::array<std::uint8_t, 64> bytes{};
    random.fill(bytes);
    for (auto b : bytes) {
      // 248 = 4 × 62: what is above would make some characters likelier than others.
      if (n == 0 || b >= 248)
        continue;
      out.push_back(base62[b % 62]);
      --n;
    }
  }
}

error bad(std::string detail) {
  return {ec::unauthorized, std::move(detail), ""};
}

result<std::string> from_authorization(std::string_view value) {
  const auto blank = value.find(' ');
  const auto scheme = value.substr(0, blank);
  auto rest = blank == std::string_view::npos ? std::string_view{} : value.substr(blank + 1);
  while (rest.starts_with(' '))
    rest.remove_prefix(1);
  if (equal_no_case(scheme, "Bearer"))
    return std::string(rest);
  if (!equal_no_case(scheme, "Basic"))
    return bad("Authorization must be Bearer or Basic");
  const auto plain = from_base64(rest);
  if (!plain)
    return bad("Authorization: Basic is not base64");
  const auto colon = plain->find(':');
  if (colon != std::string::npos && colon + 1 != plain->size())
    return bad("with Basic the key is the user name, and the password is empty");
  return plain->substr(0, colon);
}

} // namespace

std::optional<api_key> parse_api_key(std::string_view text) {
  if (text.size() != prefix_size + id_size + secret_size)
    return std::nullopt;
  if (!text.starts_with("pe_live_") && !text.starts_with("pe_test_"))
    return std::nullopt;
  const auto tail = text.substr(prefix_size);
  if (tail.find_first_not_of(base62) != std::string_view::npos)
    return std::nullopt;
  return api_key{std::string(text)};
}

api_key make_api_key(bool test, random_source& random) {
  std::string text = test ? "pe_test_" : "pe_live_";
  append_base62(text, id_size + secret_size, random);
  return {std::move(text)};
}

result<std::optional<std::string>> key_from_headers(const header_list& headers) {
  if (headers.count("Authorization") > 1 || headers.count("X-API-Key") > 1)
    return bad("more than one key");
  std::optional<std::string> out;
  if (headers.has("X-API-Key"))
    out = std::string(headers.find("X-API-Key"));
  if (headers.has("Authorization")) {
    auto key = from_authorization(headers.find("Authorization"));
    if (!key)
      return key.err();
    if (out && *out != *key)
      return bad("two different keys");
    out = std::move(*key);
  }
  return out;
}

} // namespace pulse::http
