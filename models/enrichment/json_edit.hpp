// A JSON object that can be changed at a path and written out again with every untouched value exactly as it came
// (a number keeps its digits). Only what a path goes through is taken apart. Used by the mapping.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/event/json_index.hpp"

namespace pulse {

/// Keys from the root down; digits address an element of an array.
using json_path = std::vector<std::string>;

class json_edit {
public:
  /// `text` is an object that json_index took before.
  explicit json_edit(std::string_view text);

  /// The value's JSON text; empty for none.
  std::string_view get(const json_path& path);

  /// Puts a value, making objects on the way; false when something on the way is no object.
  bool set(const json_path& path, std::string_view value);

  /// Takes a value away; false when there was none.
  bool drop(const json_path& path);

  /// Anything was set or dropped.
  bool changed() const {
    return changed_;
  }

  std::string str() const;

private:
  struct node {
    std::string key;
    /// The text, as long as the node is not taken apart.
    std::string raw;
    bool open = false;
    bool array = false;
    std::vector<node> children;
  };

  static bool expand(node& at);
  static node* child(node& at, std::string_view key);
  static void write(const node& at, std::string& out);
  node* walk(const json_path& path, std::size_t levels);

  node root_;
  bool changed_ = false;
};

} // namespace pulse
