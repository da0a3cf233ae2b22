// API keys: their form, and where in a request they stand. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/encoding.hpp"
#include "base/time.hpp"
#include "http/middleware/message.hpp"

namespace pulse::http {

/// `pe_live_` or `pe_test_`, 12 characters that are public, 32 that are secret; all base62.
struct api_key {
  std::string text;

  bool test() const {
    return text.starts_with("pe_test_");
  }

  /// What the directory is asked for and logs may show: prefix and public part, 20 characters.
  std::string_view id() const {
    return std::string_view(text).substr(0, 20);
  }

  digest hash() const {
    return sha256(text);
  }
};

/// Nothing when the text has not the form of a key.
std::optional<api_key> parse_api_key(std::string_view text);

/// A new key of 190 bits of chance in its secret.
api_key make_api_key(bool test, random_source& random);

/// The key as the client sent it, unchecked: `Authorization: Bearer KEY`, Basic with the key as user name and an
/// empty password (Segment's way), or `X-API-Key`. Nothing when there is none. Two different ones, or an
/// Authorization header of another kind, are an error: nobody must guess which one counts.
result<std::optional<std::string>> key_from_headers(const header_list& headers);

} // namespace pulse::http
