// The scanner behind json_index.
#include "models/event/json_index.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <simdjson.h>

namespace pulse {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
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

bool is_out_of_range(std::string_view number, bool exponent) {
  if (number.size() > digits_max)
    return true;
  if (!exponent)
    return false;
  double value = 0;
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
  return code != std::errc{} || !std::isfinite(value);
}

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

/// The code unit of a `\\u` escape at `p`, or -1.
int code_unit(const char* p, const char* end) {
  if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
    return -1;
  int v = 0;
  for (int i = 2; i < 6; ++i) {
    const int d = hex_digit(p[i]);
    if (d < 0)
      return -1;
    v = v * 16 + d;
  }
  return v;
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto tail = [&](int shift) {
    out.push_back(static_cast<char>(0x80 | (c >> shift & 0x3f)));
  };
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | c >> 6));
    tail(0);
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | c >> 12));
    tail(6);
    tail(0);
  } else {
    out.push_back(static_cast<char>(0xf0 | c >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

} // namespace

/// One pass over the text: RFC 8259 to the letter, every value looked at.
class json_walk {
public:
  json_walk(json_index& index, std::string_view text, json_limits limits) :
    index_(index),
    nodes_(index.nodes_),
    limits_(limits),
    text_(text),
    p_(text.data()),
    end_(text.data() + text.size()) {
  }

  json_fault run() {
    if (!simdjson::validate_utf8(text_.data(), text_.size()))
      return syntax("not UTF-8");
    skip_blanks();
    if (p_ == end_)
      return syntax("nothing there");
    const bool object = *p_ == '{';
    nodes_.emplace_back();
    if (const auto fault = value(0, 0); fault != json_fault::none)
      return fault;
    skip_blanks();
    if (p_ != end_)
      return syntax("something follows the value");
    return object ? json_fault::none : fail(json_fault::not_object, "a JSON object is wanted");
  }

private:
  void skip_blanks() {
    while (p_ < end_ && is_blank(*p_))
      ++p_;
  }

  bool take(char c) {
    skip_blanks();
    if (p_ == end_ || *p_ != c)
      return false;
    ++p_;
    return true;
  }

  json_fault fail(json_fault fault, std::string_view detail, bool here = false) {
    index_.detail_ = detail;
    index_.pointer_ = nodes_.empty() || !here ? "" : index_.pointer(&nodes_.back());
    return fault;
  }

  json_fault syntax(std::string_view detail) {
    return fail(json_fault::syntax, fmt::format("not JSON: {}, at byte {}", detail, p_ - text_.data()), true);
  }

  std::uint32_t add(std::uint32_t parent) {
    const auto at = static_cast<std::uint32_t>(nodes_.size());
    auto& node = nodes_.emplace_back();
    node.parent = parent;
    node.end = at + 1;
    ++nodes_[parent].size;
    return at;
  }

  json_fault value(std::uint32_t at, std::uint32_t depth) {
    skip_blanks();
    const char* const start = p_;
    if (p_ == end_)
      return syntax("a value is missing");
    auto fault = json_fault::none;
    switch (*p_) {
      case '{':
      case '[': fault = nested(at, depth + 1); break;
      case '"': {
        nodes_[at].kind = json_kind::string;
        std::string_view text;
        fault = string(text);
        nodes_[at].text = text;
        break;
      }
      case 't': fault = word(at, json_kind::boolean, "true"); break;
      case 'f': fault = word(at, json_kind::boolean, "false"); break;
      case 'n': fault = word(at, json_kind::null, "null"); break;
      default: fault = number(at); break;
    }
    auto& node = nodes_[at];
    node.raw = {start, static_cast<std::size_t>(p_ - start)};
    if (node.kind != json_kind::string)
      node.text = node.raw;
    node.end = static_cast<std::uint32_t>(nodes_.size());
    return fault;
  }

  json_fault nested(std::uint32_t at, std::uint32_t depth) {
    if (depth > limits_.depth_max)
      return fail(json_fault::too_deep, fmt::format("nested deeper than {} levels", limits_.depth_max), true);
    const bool object = *p_++ == '{';
    nodes_[at].kind = object ? json_kind::object : json_kind::array;
    const char closer = object ? '}' : ']';
    if (take(closer))
      return json_fault::none;
    do {
      if (object) {
        if (const auto fault = key(at); fault != json_fault::none)
          return fault;
      } else {
        add(at);
      }
      if (const auto fault = value(static_cast<std::uint32_t>(nodes_.size() - 1), depth); fault != json_fault::none)
        return fault;
    } while (take(','));
    return take(closer) ? json_fault::none : syntax(object ? "a comma or } is missing" : "a comma or ] is missing");
  }

  json_fault key(std::uint32_t at) {
    skip_blanks();
    if (p_ == end_ || *p_ != '"')
      return syntax("a key in quotes is missing");
    std::string_view key;
    if (const auto fault = string(key); fault != json_fault::none)
      return fault;
    if (!take(':'))
      return syntax("a colon is missing");
    const auto child = add(at);
    nodes_[child].key = key;
    nodes_[child].duplicate = seen(at, child, key);
    if (nodes_[at].size > limits_.keys_max)
      return fail(json_fault::too_many_keys, fmt::format("an object has more than {} keys", limits_.keys_max), true);
    return json_fault::none;
  }

  bool seen(std::uint32_t at, std::uint32_t child, std::string_view key) const {
    for (auto i = at + 1; i < child; i = nodes_[i].end)
      if (nodes_[i].key == key)
        return true;
    return false;
  }

  json_fault word(std::uint32_t at, json_kind kind, std::string_view text) {
    nodes_[at].kind = kind;
    if (!std::string_view(p_, static_cast<std::size_t>(end_ - p_)).starts_with(text))
      return syntax("a word that is no value");
    p_ += text.size();
    return json_fault::none;
  }

  json_fault number(std::uint32_t at) {
    auto& node = nodes_[at];
    node.kind = json_kind::number;
    const char* const start = p_;
    bool exponent = false;
    for (; p_ < end_; ++p_) {
      const char c = *p_;
      exponent = exponent || c == 'e' || c == 'E';
      if (!((c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'))
        break;
    }
    const std::string_view digits(start, static_cast<std::size_t>(p_ - start));
    if (!is_number(digits))
      return syntax("a value that is no number, string, object, array, true, false or null");
    node.out_of_range = is_out_of_range(digits, exponent);
    return json_fault::none;
  }

  /// A view of the text itself, unless there are escapes in it.
  json_fault string(std::string_view& out) {
    const char* const start = ++p_;
    p_ = skip_plain(p_, end_);
    if (p_ < end_ && *p_ == '"') {
      out = {start, static_cast<std::size_t>(p_++ - start)};
      return json_fault::none;
    }
    // Unescaping never makes a text longer, so this is enough for all of them and the views stay good.
    auto& space = index_.unescaped_;
    if (space.capacity() < text_.size() && space.empty())
      space.reserve(text_.size());
    const auto from = space.size();
    space.append(start, p_);
    while (p_ < end_ && *p_ == '\\') {
      if (!escape(space))
        return syntax("an escape that is none");
      const auto plain = p_;
      p_ = skip_plain(p_, end_);
      space.append(plain, p_);
    }
    if (p_ == end_ || *p_ != '"')
      return syntax(p_ == end_ ? "a string without its end" : "a control character in a string");
    ++p_;
    out = std::string_view(space).substr(from);
    return json_fault::none;
  }

  bool escape(std::string& space) {
    static constexpr std::string_view letters = "\"\\/bfnrt";
    static constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    if (end_ - p_ < 2)
      return false;
    if (const auto i = letters.find(p_[1]); i != std::string_view::npos) {
      space.push_back(meanings[i]);
      p_ += 2;
      return true;
    }
    const int unit = code_unit(p_, end_);
    if (unit < 0)
      return false;
    p_ += 6;
    auto c = static_cast<std::uint32_t>(unit);
    const int low = c >= 0xd800 && c < 0xdc00 ? code_unit(p_, end_) : -1;
    if (low >= 0xdc00 && low < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (static_cast<std::uint32_t>(low) - 0xdc00);
      p_ += 6;
    } else if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
      c = 0xfffd;
    }
    append_utf8(space, c);
    return true;
  }

  json_index& index_;
  std::vector<json_node>& nodes_;
  json_limits limits_;
  std::string_view text_;
  const char* p_;
  const char* end_;
};

json_fault json_index::parse_in_place(std::string_view text, json_limits limits) {
  nodes_.clear();
  detail_.clear();
  pointer_.clear();
  unescaped_.clear();
  const auto fault = json_walk(*this, text, limits).run();
  if (fault != json_fault::none)
    nodes_.clear();
  return fault;
}

} // namespace pulse
