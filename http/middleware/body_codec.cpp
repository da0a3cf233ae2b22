#include "http/middleware/body_codec.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <zlib.h>
#include <zstd.h>

#include "http/middleware/message.hpp"

namespace pulse::http {

namespace {

constexpr std::size_t piece = 64U << 10;
/// A tiny body of blanks packs better than any ratio allows and hurts nobody.
constexpr std::size_t ratio_free_bytes = 1U << 20;

error malformed(std::string detail) {
  return {ec::malformed, std::move(detail), ""};
}

/// Collects pieces and says when a cap is reached.
class sink {
public:
  sink(std::size_t wire_bytes, const inflate_limits& limits) :
    limits_(limits), cap_(std::min(limits.bytes_max, std::max(ratio_free_bytes, wire_bytes * limits.ratio_max))) {
  }

  std::optional<error> add(const char* data, std::size_t n) {
    if (out_.size() + n > cap_)
      return error{ec::too_large, "the body is larger than the limit once it is unpacked", ""};
    if (limits_.reserve && !limits_.reserve(n))
      return error{ec::unavailable, "too many bytes are in work", ""};
    out_.append(data, n);
    return std::nullopt;
  }

  std::string take() {
    return std::move(out_);
  }

private:
  const inflate_limits& limits_;
  std::size_t cap_;
  std::string out_;
};

result<std::string> gunzip(std::string_view bytes, const inflate_limits& limits) {
  z_stream z{};
  // 15 bits of window, +16: gzip framing only.
  if (inflateInit2(&z, 15 + 16) != Z_OK)
    return error{ec::unavailable, "no memory to unpack the body", ""};
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&z, inflateEnd);
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  sink out(bytes.size(), limits);
  std::array<char, piece> buffer;
  for (;;) {
    z.next_out = reinterpret_cast<Bytef*>(buffer.data());
    z.avail_out = static_cast<uInt>(buffer.size());
    const int code = inflate(&z, Z_NO_FLUSH);
    const auto n = buffer.size() - z.avail_out;
    if (auto over = out.add(buffer.data(), n))
      return *over;
    if (code == Z_STREAM_END) {
      if (z.avail_in == 0)
        return out.take();
      if (inflateReset(&z) != Z_OK)
        return malformed("the body is not gzip");
    } else if (code != Z_OK) {
      return malformed(code == Z_BUF_ERROR ? "the gzip body is cut short" : "the body is not gzip");
    }
  }
}

result<std::string> unzstd(std::string_view bytes, const inflate_limits& limits) {
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  // 8 MiB: what RFC 8878 tells senders to keep to. A larger window would be memory without a cap.
  if (!context || ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, 23)) != 0)
    return error{ec::unavailable, "no memory to unpack the body", ""};
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  sink out(bytes.size(), limits);
  std::array<char, piece> buffer;
  std::size_t left = 1;
  bool full = false;
  while (in.pos < in.size || full) {
    ZSTD_outBuffer piece_out{buffer.data(), buffer.size(), 0};
    left = ZSTD_decompressStream(context.get(), &piece_out, &in);
    if (ZSTD_isError(left) != 0)
      return malformed("the body is not zstd");
    if (auto over = out.add(buffer.data(), piece_out.pos))
      return *over;
    full = piece_out.pos == piece_out.size;
  }
  if (left != 0)
    return malformed("the zstd body is cut short");
  return out.take();
}

} // namespace

result<body_coding> parse_coding(std::string_view text, bool allow_zstd) {
  if (text.empty() || equal_no_case(text, "identity"))
    return body_coding::identity;
  if (equal_no_case(text, "gzip") || equal_no_case(text, "x-gzip"))
    return body_coding::gzip;
  if (allow_zstd && equal_no_case(text, "zstd"))
    return body_coding::zstd;
  return error{ec::unsupported, allow_zstd ? "Content-Encoding may be gzip or zstd" : "Content-Encoding may be gzip",
               ""};
}

result<std::string> decode_body(std::string_view bytes, body_coding coding, const inflate_limits& limits) {
  switch (coding) {
    case body_coding::gzip: return gunzip(bytes, limits);
    case body_coding::zstd: return unzstd(bytes, limits);
    case body_coding::identity: break;
  }
  return std::string(bytes);
}

} // namespace pulse::http
