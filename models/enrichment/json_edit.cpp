#include "models/enrichment/json_edit.hpp"

#include <algorithm>
#include <charconv>

namespace pulse {

namespace {

constexpr json_limits edit_limits{64, 1024};

std::size_t position_of(std::string_view key) {
  std::size_t at = 0;
  const auto [end, code] = std::from_chars(key.data(), key.data() + key.size(), at);
  return code == std::errc{} && end == key.data() + key.size() ? at : std::string_view::npos;
}

} // namespace

json_edit::json_edit(std::string_view text) {
  root_.raw = text;
}

bool json_edit::expand(node& at) {
  if (at.open)
    return true;
  if (at.raw.empty() || (at.raw[0] != '{' && at.raw[0] != '['))
    return false;
  thread_local json_index index;
  at.array = at.raw[0] == '[';
  // The index takes objects only, so an array is read as the field of one.
  if (index.parse(at.array ? "{\"\":" + at.raw + "}" : at.raw, edit_limits) != json_fault::none)
    return false;
  const auto parent = at.array ? index.first(index.root()) : index.root();
  for (auto field = index.first(parent); field != nullptr; field = index.next(field)) {
    // Of two fields of a name the last one counts.
    auto same = at.array ? nullptr : child(at, field->key);
    auto& place = same != nullptr ? *same : at.children.emplace_back();
    place.key = field->key;
    place.raw = field->raw;
  }
  at.open = true;
  at.raw.clear();
  return true;
}

json_edit::node* json_edit::child(node& at, std::string_view key) {
  if (at.array) {
    const auto position = position_of(key);
    return position < at.children.size() ? &at.children[position] : nullptr;
  }
  const auto found =
      std::find_if(at.children.begin(), at.children.end(), [key](const node& n) { return n.key == key; });
  return found == at.children.end() ? nullptr : &*found;
}

json_edit::node* json_edit::walk(const json_path& path, std::size_t levels) {
  auto at = &root_;
  for (std::size_t i = 0; i < levels && at != nullptr; ++i)
    at = expand(*at) ? child(*at, path[i]) : nullptr;
  return at;
}

std::string_view json_edit::get(const json_path& path) {
  const auto at = walk(path, path.size());
  if (at == nullptr)
    return {};
  if (at->open) {
    std::string text;
    write(*at, text);
    at->raw = std::move(text);
    at->open = false;
    at->children.clear();
  }
  return at->raw;
}

bool json_edit::set(const json_path& path, std::string_view value) {
  auto at = &root_;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (at->raw.empty() && !at->open)
      at->raw = "{}";
    if (!expand(*at))
      return false;
    auto next = child(*at, path[i]);
    if (next == nullptr) {
      if (at->array)
        return false;
      next = &at->children.emplace_back();
      next->key = path[i];
    }
    at = next;
  }
  at->open = false;
  at->children.clear();
  at->raw = value;
  changed_ = true;
  return true;
}

bool json_edit::drop(const json_path& path) {
  const auto parent = path.empty() ? nullptr : walk(path, path.size() - 1);
  if (parent == nullptr || !expand(*parent))
    return false;
  const auto gone = child(*parent, path.back());
  if (gone == nullptr)
    return false;
  parent->children.erase(parent->children.begin() + (gone - parent->children.data()));
  changed_ = true;
  return true;
}

void json_edit::write(const node& at, std::string& out) {
  if (!at.open) {
    out.append(at.raw.empty() ? "{}" : at.raw);
    return;
  }
  out.push_back(at.array ? '[' : '{');
  for (const auto& c : at.children) {
    if (&c != &at.children.front())
      out.push_back(',');
    if (!at.array) {
      append_json_string(out, c.key);
      out.push_back(':');
    }
    write(c, out);
  }
  out.push_back(at.array ? ']' : '}');
}

std::string json_edit::str() const {
  std::string out;
  write(root_, out);
  return out;
}

} // namespace pulse
