#include "base/ids.hpp"

#include "base/encoding.hpp"

namespace pulse {

std::string uuid::str() const {
  auto hex = to_hex(bytes);
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20)
      out.push_back('-');
    out.push_back(hex[i]);
  }
  return out;
}

result<uuid> uuid::parse(std::string_view text) {
  const auto bad = error{ec::malformed, "not a UUID: 8-4-4-4-12 hexadecimal digits are wanted", ""};
  if (text.size() != 36)
    return bad;
  std::string hex;
  hex.reserve(32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-'))
      return bad;
    if (!dash)
      hex.push_back(text[i]);
  }
  uuid out;
  if (!from_hex(hex, out.bytes))
    return bad;
  return out;
}

std::int64_t event_id::unix_ms() const {
  std::int64_t ms = 0;
  for (std::size_t i = 0; i < 6; ++i)
    ms = ms << 8 | value.bytes[i];
  return ms;
}

std::string trace_id::hex() const {
  return to_hex(value.bytes);
}

} // namespace pulse
