// One JSON object taken apart once: a flat list of nodes in document order, with their text as it stands (so that a
// number keeps its digits), checked to the end. Everything in event/ and enrichment/ reads JSON through this.
//
// It is a scanner of its own because nothing may pass unlooked at and no number may become a double: simdjson's DOM
// refuses numbers of 400 digits, and its On-Demand, made to visit every value, took 2.4 times as long.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace pulse {

enum class json_kind : std::uint8_t { object, array, string, number, boolean, null };

struct json_node {
  json_kind kind = json_kind::null;
  /// An earlier field of the same object has the same key; the last one counts, as in JavaScript and in jsonb.
  bool duplicate = false;
  /// A number that no finite double holds, or of more digits than anybody measures with.
  bool out_of_range = false;
  std::uint32_t parent = 0;
  /// One past the last descendant, so the next sibling stands at nodes[end].
  std::uint32_t end = 0;
  /// Fields or elements.
  std::uint32_t size = 0;
  /// Unescaped; empty in arrays.
  std::string_view key;
  /// As it stands in the text, without surrounding blanks.
  std::string_view raw;
  /// A string unescaped; anything else as in raw.
  std::string_view text;
};

enum class json_fault : std::uint8_t { none, syntax, not_object, too_deep, too_many_keys };

struct json_limits {
  std::uint32_t depth_max = 32;
  std::uint32_t keys_max = 256;
};

/// Reused from event to event, so that its memory is. Not copied: views point into it. Views into it and into the text
/// live until the next parse.
class json_index {
public:
  json_index() = default;
  json_index(const json_index&) = delete;
  json_index& operator=(const json_index&) = delete;

  /// Takes apart and checks one object; the text has to outlive the views.
  json_fault parse_in_place(std::string_view text, json_limits limits = {});

  /// The same on a copy of the text.
  json_fault parse(std::string_view text, json_limits limits = {});

  /// Why the last parse failed, for a person, and where (a JSON pointer; for a broken text that of the last good
  /// place).
  const std::string& fault_detail() const {
    return detail_;
  }

  const std::string& fault_pointer() const {
    return pointer_;
  }

  const std::vector<json_node>& nodes() const {
    return nodes_;
  }

  /// The object itself; null after a failed parse.
  const json_node* root() const {
    return nodes_.empty() ? nullptr : nodes_.data();
  }

  /// The field of an object, the last of that name; null for none, and for a parent that is null or no object.
  const json_node* find(const json_node* parent, std::string_view key) const;

  /// The same down a path from the root.
  const json_node* at(std::initializer_list<std::string_view> path) const;

  /// First child, or null; `next` gives its siblings.
  const json_node* first(const json_node* parent) const;
  const json_node* next(const json_node* node) const;

  /// RFC 6901; empty for the root.
  std::string pointer(const json_node* node) const;

private:
  friend class json_walk;

  std::vector<json_node> nodes_;
  /// The strings that had escapes in them.
  std::string unescaped_;
  std::string detail_;
  std::string pointer_;
  std::string copy_;
};

/// To the first quote, backslash or control character of a string's inside, or the end.
const char* skip_plain(const char* p, const char* end);

/// True for a node that is a string of more than blanks.
bool has_text(const json_node* node);

/// The text as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// `~` and `/` escaped as RFC 6901 wants them in a pointer.
std::string escape_pointer(std::string_view key);

} // namespace pulse
