#include "models/event/json_index.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>

namespace pulse {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

} // namespace

json_fault json_index::parse(std::string_view text, json_limits limits) {
  copy_.assign(text);
  return parse_in_place(copy_, limits);
}

const char* skip_plain(const char* p, const char* end) {
  // Eight bytes at once: n less than a byte borrows from bit 7 exactly when it is below n, and the lowest that is
  // found is found rightly (Hacker's Delight, 6-1).
  constexpr std::uint64_t ones = 0x0101010101010101ULL;
  constexpr std::uint64_t tops = 0x8080808080808080ULL;
  for (; end - p >= 8; p += 8) {
    std::uint64_t x = 0;
    std::memcpy(&x, p, sizeof x);
    if constexpr (std::endian::native == std::endian::big)
      x = __builtin_bswap64(x);
    const auto quote = x ^ ones * '"';
    const auto slash = x ^ ones * '\\';
    const auto found = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((x - ones * 0x20) & ~x)) & tops;
    if (found != 0)
      return p + std::countr_zero(found) / 8;
  }
  while (p < end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20)
    ++p;
  return p;
}

const json_node* json_index::find(const json_node* parent, std::string_view key) const {
  const json_node* found = nullptr;
  if (parent == nullptr || parent->kind != json_kind::object)
    return found;
  for (auto child = first(parent); child != nullptr; child = next(child))
    // Most keys differ in length or in the first letter, which spares the call.
    if (child->key.size() == key.size() && (key.empty() || child->key[0] == key[0]) && child->key == key)
      found = child;
  return found;
}

const json_node* json_index::at(std::initializer_list<std::string_view> path) const {
  auto node = root();
  for (auto key : path)
    node = find(node, key);
  return node;
}

const json_node* json_index::first(const json_node* parent) const {
  return parent == nullptr || parent->size == 0 ? nullptr : parent + 1;
}

const json_node* json_index::next(const json_node* node) const {
  const auto& parent = nodes_[node->parent];
  return node->end < parent.end ? &nodes_[node->end] : nullptr;
}

std::string json_index::pointer(const json_node* node) const {
  if (node == nullptr || node == nodes_.data())
    return {};
  const auto& parent = nodes_[node->parent];
  if (parent.kind != json_kind::array)
    return pointer(&parent) + "/" + escape_pointer(node->key);
  int position = 0;
  for (auto i = node->parent + 1; &nodes_[i] != node; i = nodes_[i].end)
    ++position;
  return fmt::format("{}/{}", pointer(&parent), position);
}

bool has_text(const json_node* node) {
  return node != nullptr && node->kind == json_kind::string &&
         !std::all_of(node->text.begin(), node->text.end(), is_blank);
}

std::string escape_pointer(std::string_view key) {
  std::string out;
  out.reserve(key.size());
  for (char c : key) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out.push_back(c);
  }
  return out;
}

namespace {

/// Length of the UTF-8 character at `i` (Unicode 15, table 3-7); 0 when there is none.
std::size_t utf8_length(std::string_view s, std::size_t i) {
  const auto byte = [&](std::size_t k) {
    return i + k < s.size() ? static_cast<unsigned char>(s[i + k]) : 0U;
  };
  const auto follows = [&](std::size_t k) {
    return (byte(k) & 0xc0U) == 0x80U;
  };
  const auto b = byte(0);
  if (b < 0x80)
    return 1;
  if (b >= 0xc2 && b <= 0xdf)
    return follows(1) ? 2 : 0;
  if (b >= 0xe0 && b <= 0xef) {
    const bool second = (b != 0xe0 || byte(1) >= 0xa0) && (b != 0xed || byte(1) <= 0x9f);
    return second && follows(1) && follows(2) ? 3 : 0;
  }
  if (b >= 0xf0 && b <= 0xf4) {
    const bool second = (b != 0xf0 || byte(1) >= 0x90) && (b != 0xf4 || byte(1) <= 0x8f);
    return second && follows(1) && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, char c) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  }
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') {
      append_escaped(out, c);
      ++i;
    } else if (const auto n = utf8_length(text, i); n > 0) {
      out.append(text, i, n);
      i += n;
    } else {
      out += "\xef\xbf\xbd";
      ++i;
    }
  }
  out.push_back('"');
}

} // namespace pulse
