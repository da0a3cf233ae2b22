// Escapes that are valid JSON and no valid text; see body_splitter.hpp.
#include <cstring>

#include "models/event/body_splitter.hpp"

namespace pulse {

namespace {

/// The four hexadecimal digits of a `\u` escape, or -1.
int code_unit(const char* p, const char* end) {
  if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
    return -1;
  int v = 0;
  for (int i = 2; i < 6; ++i) {
    const char c = p[i];
    const int d = c >= '0' && c <= '9'   ? c - '0'
                  : c >= 'a' && c <= 'f' ? c - 'a' + 10
                  : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                         : -1;
    if (d < 0)
      return -1;
    v = v * 16 + d;
  }
  return v;
}

bool is_high(int unit) {
  return unit >= 0xd800 && unit < 0xdc00;
}

bool is_low(int unit) {
  return unit >= 0xdc00 && unit < 0xe000;
}

} // namespace

std::vector<std::uint32_t> repair_escapes(char* data, std::size_t size) {
  std::vector<std::uint32_t> repaired;
  char* const end = data + size;
  char* p = data;
  while (p < end && (p = static_cast<char*>(std::memchr(p, '\\', static_cast<std::size_t>(end - p)))) != nullptr) {
    const int unit = code_unit(p, end);
    if (unit < 0) {
      p += 2;
    } else if (is_high(unit) && is_low(code_unit(p + 6, end))) {
      p += 12;
    } else {
      if (unit == 0 || is_high(unit) || is_low(unit)) {
        std::memcpy(p, "\\ufffd", 6);
        repaired.push_back(static_cast<std::uint32_t>(p - data));
      }
      p += 6;
    }
  }
  return repaired;
}

} // namespace pulse
