// Writing JSON by hand where a tree would cost more than the text: escaping and nothing else.
#pragma once

#include <fmt/format.h>
#include <string>
#include <string_view>

#include "base/time.hpp"

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

/// An object that is written field by field.
class json_object {
public:
  json_object& text(std::string_view name, std::string_view value) {
    append_json_name(out_, name);
    append_json(out_, value);
    return *this;
  }

  json_object& text_or_null(std::string_view name, std::string_view value) {
    return value.empty() ? raw(name, "null") : text(name, value);
  }

  json_object& time(std::string_view name, time_ms t) {
    return text(name, format_time(t));
  }

  /// `json` is a JSON text.
  json_object& raw(std::string_view name, std::string_view json) {
    append_json_name(out_, name);
    out_ += json;
    return *this;
  }

  json_object& flag(std::string_view name, bool v) {
    return raw(name, v ? "true" : "false");
  }

  template <class Number>
  json_object& number(std::string_view name, Number v) {
    return raw(name, fmt::format("{}", v));
  }

  std::string done() && {
    return std::move(out_) + "}";
  }

private:
  std::string out_ = "{";
};

} // namespace pulse
