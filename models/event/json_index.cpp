#include "models/event/json_index.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <simdjson.h>

namespace pulse {

namespace od = simdjson::ondemand;

namespace {

static_assert(json_index::padding >= simdjson::SIMDJSON_PADDING);

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

std::string_view trim_end(std::string_view s) {
  while (!s.empty() && is_blank(s.back()))
    s.remove_suffix(1);
  return s;
}

std::size_t skip_digits(std::string_view s, std::size_t i) {
  while (i < s.size() && s[i] >= '0' && s[i] <= '9')
    ++i;
  return i;
}

/// RFC 8259, section 6.
bool is_number(std::string_view s) {
  std::size_t i = !s.empty() && s[0] == '-' ? 1 : 0;
  const auto whole = skip_digits(s, i);
  if (whole == i || (s[i] == '0' && whole > i + 1))
    return false;
  i = whole;
  if (i < s.size() && s[i] == '.') {
    const auto fraction = skip_digits(s, i + 1);
    if (fraction == i + 1)
      return false;
    i = fraction;
  }
  if (i < s.size() && (s[i] == 'e' || s[i] == 'E')) {
    ++i;
    if (i < s.size() && (s[i] == '-' || s[i] == '+'))
      ++i;
    const auto exponent = skip_digits(s, i);
    if (exponent == i)
      return false;
    i = exponent;
  }
  return i == s.size();
}

/// More digits than this are no measure of anything, and cost every reader after us.
constexpr std::size_t digits_max = 64;

bool is_out_of_range(std::string_view number) {
  if (number.size() > digits_max)
    return true;
  if (number.find_first_of("eE") == std::string_view::npos)
    return false;
  double value = 0;
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
  return code != std::errc{} || !std::isfinite(value);
}

} // namespace

struct json_index::reader {
  od::parser parser;
  od::document document;
};

/// The walk itself, apart from the class so that its header needs no simdjson.
class json_walk {
public:
  json_walk(json_index& index, json_limits limits) : index_(index), nodes_(index.nodes_), limits_(limits) {
  }

  json_fault run(std::string_view text) {
    auto& r = *index_.reader_;
    const auto capacity = text.size() + simdjson::SIMDJSON_PADDING;
    auto error = r.parser.iterate(simdjson::padded_string_view(text.data(), text.size(), capacity)).get(r.document);
    if (error)
      return syntax(simdjson::error_message(error));
    od::object object;
    error = r.document.get_object().get(object);
    if (error == simdjson::INCORRECT_TYPE)
      return fail(json_fault::not_object, "a JSON object is wanted");
    if (error)
      return syntax(simdjson::error_message(error));
    add(0, {});
    nodes_[0].kind = json_kind::object;
    if (const auto fault = fields(object, 0, 1); fault != json_fault::none)
      return fault;
    // On-Demand stops at the brace that closes the root; whatever follows makes the text no JSON.
    const char* rest = nullptr;
    if (!r.document.current_location().get(rest) && rest < text.data() + text.size() && !only_blanks(text, rest))
      return syntax("something follows the object");
    nodes_[0].raw = nodes_[0].text = trim_end(text);
    return json_fault::none;
  }

private:
  static bool only_blanks(std::string_view text, const char* from) {
    return std::all_of(from, text.data() + text.size(), is_blank);
  }

  std::uint32_t add(std::uint32_t parent, std::string_view key) {
    const auto at = static_cast<std::uint32_t>(nodes_.size());
    json_node node;
    node.parent = parent;
    node.key = key;
    node.end = at + 1;
    nodes_.push_back(node);
    return at;
  }

  json_fault fail(json_fault fault, std::string_view detail, bool here = false) {
    index_.detail_ = detail;
    index_.pointer_ = nodes_.empty() || !here ? "" : index_.pointer(&nodes_.back());
    return fault;
  }

  json_fault syntax(std::string_view detail) {
    return fail(json_fault::syntax, fmt::format("not JSON: {}", detail), true);
  }

  json_fault fields(od::object& object, std::uint32_t at, std::uint32_t depth) {
    for (auto item : object) {
      std::string_view key;
      od::value value;
      if (const auto error = item.unescaped_key().get(key))
        return syntax(simdjson::error_message(error));
      const auto child = add(at, key);
      nodes_[child].duplicate = seen(at, child, key);
      if (++nodes_[at].size > limits_.keys_max)
        return fail(json_fault::too_many_keys, fmt::format("an object has more than {} keys", limits_.keys_max), true);
      if (const auto error = item.value().get(value))
        return syntax(simdjson::error_message(error));
      if (const auto fault = one(value, child, depth); fault != json_fault::none)
        return fault;
    }
    nodes_[at].end = static_cast<std::uint32_t>(nodes_.size());
    return json_fault::none;
  }

  bool seen(std::uint32_t at, std::uint32_t child, std::string_view key) const {
    for (auto i = at + 1; i < child; i = nodes_[i].end)
      if (nodes_[i].key == key)
        return true;
    return false;
  }

  json_fault elements(od::array& array, std::uint32_t at, std::uint32_t depth) {
    for (auto item : array) {
      od::value value;
      const auto child = add(at, {});
      ++nodes_[at].size;
      if (const auto error = item.get(value))
        return syntax(simdjson::error_message(error));
      if (const auto fault = one(value, child, depth); fault != json_fault::none)
        return fault;
    }
    nodes_[at].end = static_cast<std::uint32_t>(nodes_.size());
    return json_fault::none;
  }

  json_fault one(od::value& value, std::uint32_t at, std::uint32_t depth) {
    const auto token = trim_end(value.raw_json_token());
    if (token.empty())
      return syntax("a value is missing");
    auto& node = nodes_[at];
    node.raw = node.text = token;
    switch (token[0]) {
      case '{':
      case '[': return nested(value, at, depth, token.data());
      case '"': {
        node.kind = json_kind::string;
        if (const auto error = value.get_string().get(node.text))
          return syntax(simdjson::error_message(error));
        return json_fault::none;
      }
      case 't':
      case 'f':
        node.kind = json_kind::boolean;
        return token == "true" || token == "false" ? consume(value) : syntax("a word that is no value");
      case 'n':
        node.kind = json_kind::null;
        return token == "null" ? consume(value) : syntax("a word that is no value");
      default: break;
    }
    node.kind = json_kind::number;
    if (!is_number(token))
      return syntax("a value that is no number, string, object, array, true, false or null");
    node.out_of_range = is_out_of_range(token);
    return json_fault::none;
  }

  /// Moves On-Demand over a word that was judged by its text.
  json_fault consume(od::value& value) {
    bool ignored = false;
    if (const auto error =
            nodes_.back().kind == json_kind::null ? value.is_null().get(ignored) : value.get_bool().get(ignored))
      return syntax(simdjson::error_message(error));
    return json_fault::none;
  }

  json_fault nested(od::value& value, std::uint32_t at, std::uint32_t depth, const char* start) {
    if (depth >= limits_.depth_max)
      return fail(json_fault::too_deep, fmt::format("nested deeper than {} levels", limits_.depth_max), true);
    json_fault fault;
    if (*start == '{') {
      nodes_[at].kind = json_kind::object;
      od::object object;
      if (const auto error = value.get_object().get(object))
        return syntax(simdjson::error_message(error));
      fault = fields(object, at, depth + 1);
    } else {
      nodes_[at].kind = json_kind::array;
      od::array array;
      if (const auto error = value.get_array().get(array))
        return syntax(simdjson::error_message(error));
      fault = elements(array, at, depth + 1);
    }
    if (fault != json_fault::none)
      return fault;
    // The next token is the comma or bracket behind this value; blanks between are not part of it.
    const char* next = nullptr;
    if (const auto error = index_.reader_->document.current_location().get(next))
      return syntax(simdjson::error_message(error));
    nodes_[at].raw = nodes_[at].text = trim_end({start, static_cast<std::size_t>(next - start)});
    return json_fault::none;
  }

  json_index& index_;
  std::vector<json_node>& nodes_;
  json_limits limits_;
};

json_index::json_index() : reader_(std::make_unique<reader>()) {
}

json_index::json_index(json_index&&) noexcept = default;
json_index& json_index::operator=(json_index&&) noexcept = default;
json_index::~json_index() = default;

json_fault json_index::parse_padded(std::string_view text, json_limits limits) {
  nodes_.clear();
  detail_.clear();
  pointer_.clear();
  const auto fault = json_walk(*this, limits).run(text);
  if (fault != json_fault::none)
    nodes_.clear();
  return fault;
}

json_fault json_index::parse(std::string_view text, json_limits limits) {
  copy_.clear();
  copy_.reserve(text.size() + padding);
  copy_.append(text);
  return parse_padded(copy_, limits);
}

const json_node* json_index::find(const json_node* parent, std::string_view key) const {
  const json_node* found = nullptr;
  if (parent == nullptr || parent->kind != json_kind::object)
    return found;
  for (auto child = first(parent); child != nullptr; child = next(child))
    if (child->key == key)
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
