// Writing JSON by hand where a tree would cost more than the text: escaping and nothing else.
#pragma once

#include <string>
#include <string_view>

namespace pulse {

/// Appends `text` in quotes, escaped by RFC 8259. The text is UTF-8 already.
inline void append_json(std::string& out, std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out.push_back('"');
  for (char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (u >= 0x20) {
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += "\\u00";
      out.push_back(hex[u >> 4U]);
      out.push_back(hex[u & 15U]);
    }
  }
  out.push_back('"');
}

/// Appends `"name":` and, but for the first, a comma before it.
inline void append_json_name(std::string& out, std::string_view name) {
  if (out.back() != '{')
    out.push_back(',');
  append_json(out, name);
  out.push_back(':');
}

} // namespace pulse
