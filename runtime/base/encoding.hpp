// Hexadecimal, base64 (RFC 4648) and the two hashes of the house: SHA-256 and its HMAC.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace pulse {

using digest = std::array<std::uint8_t, 32>;

std::string to_hex(std::span<const std::uint8_t> bytes);
/// False when the text has another length than twice the bytes, or is no hexadecimal.
bool from_hex(std::string_view text, std::span<std::uint8_t> bytes);

std::string to_base64(std::string_view bytes);
/// RFC 4648 section 5, without padding: for cursors and keys.
std::string to_base64url(std::string_view bytes);
/// Takes both alphabets, with or without padding; nothing on any other character.
std::optional<std::string> from_base64(std::string_view text);

digest sha256(std::string_view bytes);
digest hmac_sha256(std::string_view key, std::string_view bytes);
/// Compares in a time that depends on the length alone.
bool equal_constant_time(std::string_view a, std::string_view b);

/// The first 16 bytes of SHA-256 over the parts, each preceded by its length, so that no two lists of parts
/// give the same bytes.
std::array<std::uint8_t, 16> hash_parts(std::initializer_list<std::string_view> parts);

} // namespace pulse
