// Undoes Content-Encoding (gzip, zstd) with a cap on the size and on the ratio, so that a small body cannot become
// a large one. Pure but for the memory it takes.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pulse::http {

enum class body_coding : std::uint8_t { identity, gzip, zstd };

/// `unsupported` for anything but absent, `identity`, `gzip`, `x-gzip` and, where allowed, `zstd`; also for lists.
result<body_coding> parse_coding(std::string_view content_encoding, bool allow_zstd);

struct inflate_limits {
  std::size_t bytes_max = 16U << 20;
  /// Inflated bytes for one compressed byte.
  std::size_t ratio_max = 100;
  /// Told of every `n` bytes before they are taken; false stops with `unavailable`. Empty: no budget.
  std::function<bool(std::size_t n)> reserve;
};

/// `too_large` over a cap, `malformed` for bytes that are not of that coding, are cut short, or have more behind.
/// Several gzip members or zstd frames in a row are one body (RFC 1952).
result<std::string> decode_body(std::string_view bytes, body_coding coding, const inflate_limits& limits);

} // namespace pulse::http
