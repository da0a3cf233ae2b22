#include "models/event/body_splitter.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>

#include "models/event/json_index.hpp"

namespace pulse {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

const char* skip_blanks(const char* p, const char* end) {
  while (p < end && is_blank(*p))
    ++p;
  return p;
}

/// Behind the string whose quote stands at `p`; null when it has no end.
const char* skip_string(const char* p, const char* end) {
  ++p;
  while ((p = skip_plain(p, end)) < end) {
    if (*p == '"')
      return p + 1;
    // Behind a backslash one more character belongs to it; a control character is the parser's business.
    p += *p == '\\' && end - p > 1 ? 2 : 1;
  }
  return nullptr;
}

enum : std::uint8_t { plain, quote, open, close, comma };

constexpr auto classes = [] {
  std::array<std::uint8_t, 256> table{};
  table['"'] = quote;
  table['{'] = table['['] = open;
  table['}'] = table[']'] = close;
  table[','] = comma;
  return table;
}();

struct scan {
  /// At the comma or bracket that ends the value, or the end of the data.
  const char* stop = nullptr;
  /// False: a string or bracket without its end, or brackets that do not match.
  bool ok = false;
  /// Levels still open where the data ended; -1 inside a string.
  int depth = 0;
};

/// Finds where a value ends: at a comma or at `closer`, outside of strings and brackets. Brackets are matched to 64
/// levels; what nests deeper is refused later anyway.
scan scan_value(const char* p, const char* end, char closer) {
  std::uint64_t braces = 0;
  int depth = 0;
  while (p < end) {
    switch (classes[static_cast<unsigned char>(*p)]) {
      case quote: {
        p = skip_string(p, end);
        if (p == nullptr)
          return {end, false, -1};
        continue;
      }
      case open: {
        ++depth;
        braces = braces << 1 | (*p == '{' ? 1U : 0U);
        break;
      }
      case close: {
        if (depth == 0 && *p == closer)
          return {p, true, depth};
        if (depth > 0) {
          if (depth <= 64 && (braces & 1U) != (*p == '}' ? 1U : 0U))
            return {p, false, depth};
          braces >>= 1;
          --depth;
        }
        break;
      }
      case comma: {
        if (depth == 0)
          return {p, true, depth};
        break;
      }
      default: break;
    }
    ++p;
  }
  return {end, false, depth};
}

std::string_view between(const char* from, const char* to) {
  while (from < to && is_blank(*from))
    ++from;
  while (to > from && is_blank(to[-1]))
    --to;
  return {from, static_cast<std::size_t>(to - from)};
}

/// Where an array ended, and whether it ended as one.
struct array_end {
  /// Null when what follows makes the whole body no JSON.
  const char* after = nullptr;
  bool ok = false;
};

/// Whether the text behind an array goes on as its surroundings ask for.
using tail_check = std::function<bool(const char*)>;

array_end cut_array(const char* p, const char* end, std::size_t max, std::vector<std::string_view>& out) {
  p = skip_blanks(p, end);
  if (p < end && *p == ']')
    return {p + 1, true};
  while (true) {
    const auto value = scan_value(p, end, ']');
    if (!value.ok)
      return {p, false};
    out.push_back(between(p, value.stop));
    if (*value.stop == ']' || out.size() > max)
      return {value.stop + 1, true};
    p = value.stop + 1;
  }
}

/// A place behind `p` where a next event may begin: `,` and `{"`.
const char* next_candidate(const char* p, const char* end) {
  while (p < end) {
    p = static_cast<const char*>(std::memchr(p, ',', static_cast<std::size_t>(end - p)));
    if (p == nullptr)
      return nullptr;
    const auto brace = skip_blanks(p + 1, end);
    if (brace < end && *brace == '{' && skip_blanks(brace + 1, end) < end && *skip_blanks(brace + 1, end) == '"')
      return p;
    ++p;
  }
  return nullptr;
}

/// An event without its closing quote or bracket swallows the rest. The first `,{"` from which everything up to the
/// end can be cut cleanly is taken as the next event; a few tries only, for each reads the rest.
array_end cut_array_recovering(const char* p, const char* end, std::size_t max, std::vector<std::string_view>& out,
                               const tail_check& tail) {
  constexpr int tries_max = 16;
  auto got = cut_array(p, end, max, out);
  if (got.ok && (out.size() > max || tail(got.after)))
    return got;
  // A whole array with a wrong end may be a broken event whose own bracket ended it early.
  const bool wrong_tail = got.ok;
  const auto broken = wrong_tail ? skip_blanks(p, end) : got.after;
  if (wrong_tail)
    out.clear();
  const auto kept = out.size();
  const char* at = broken;
  for (int i = 0; i < tries_max && (at = next_candidate(at, end)) != nullptr; ++i, ++at) {
    out.resize(kept);
    out.push_back(between(broken, at));
    got = cut_array(at + 1, end, max, out);
    if (got.ok && (out.size() > max || tail(got.after)))
      return got;
  }
  out.resize(kept);
  if (wrong_tail)
    return {nullptr, false};
  out.push_back(between(broken, end));
  return {end, false};
}

bool only_blanks(const char* p, const char* end) {
  return skip_blanks(p, end) == end;
}

/// Cuts `"key":value, … }` up to the end of the data; false when it is not that. Stops at the array of `batch`, whose
/// bracket `batch` then points at.
bool cut_fields(const char* p, const char* end, std::vector<std::string_view>& out, const char** batch) {
  p = skip_blanks(p, end);
  if (p < end && *p == '}')
    return only_blanks(p + 1, end);
  while (p < end) {
    p = skip_blanks(p, end);
    if (p == end || *p != '"')
      return false;
    const auto key_end = skip_string(p, end);
    if (key_end == nullptr)
      return false;
    const auto colon = skip_blanks(key_end, end);
    if (colon == end || *colon != ':')
      return false;
    const auto value = skip_blanks(colon + 1, end);
    if (batch != nullptr && value < end && *value == '[' &&
        std::string_view(p, static_cast<std::size_t>(key_end - p)) == "\"batch\"") {
      *batch = value;
      return true;
    }
    const auto scanned = scan_value(value, end, '}');
    if (!scanned.ok)
      return false;
    out.push_back(between(p, scanned.stop));
    if (*scanned.stop == '}')
      return only_blanks(scanned.stop + 1, end);
    p = scanned.stop + 1;
  }
  return false;
}

/// What follows the batch's array: the other fields, and the end of the object.
bool cut_tail(const char* p, const char* end, std::vector<std::string_view>& out) {
  p = skip_blanks(p, end);
  if (p < end && *p == '}')
    return only_blanks(p + 1, end);
  return p < end && *p == ',' && cut_fields(p + 1, end, out, nullptr);
}

split_body refuse(std::string_view detail) {
  split_body out;
  out.detail = detail;
  return out;
}

/// A body that begins with a brace is NDJSON when its first value does not reach to the end, and when either that
/// value or another line stands for itself as an object.
bool is_ndjson(std::string_view body) {
  const auto newline = body.find('\n');
  if (newline == std::string_view::npos)
    return false;
  const auto line = trim_json(body.substr(0, newline));
  if (line.back() == '}') {
    // No comma and no closer stands outside of a whole object, so its scan runs to the very end with nothing open.
    const auto end = line.data() + line.size();
    const auto value = scan_value(line.data(), end, ']');
    if (!value.ok && value.stop == end && value.depth == 0)
      return true;
  }
  // A first line broken off, or an object over several lines? Only in the first case do later lines begin and end
  // an object each.
  std::size_t from = newline + 1;
  while (from < body.size()) {
    const auto stop = std::min(body.find('\n', from), body.size());
    const auto raw = body.substr(from, stop - from);
    if (!raw.empty() && raw.front() == '{' && trim_json(raw).back() == '}')
      return true;
    from = stop + 1;
  }
  return false;
}

split_body split_lines(std::string_view body, std::size_t events_max) {
  split_body out;
  out.ok = true;
  std::size_t from = 0;
  while (from < body.size() && !out.too_many) {
    const auto stop = std::min(body.find('\n', from), body.size());
    const auto line = trim_json(body.substr(from, stop - from));
    if (!line.empty())
      out.events.push_back(line);
    out.too_many = out.events.size() > events_max;
    from = stop + 1;
  }
  return out;
}

} // namespace

std::string_view trim_json(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf"))
    text.remove_prefix(3);
  return between(text.data(), text.data() + text.size());
}

split_body split_events(std::string_view body, std::size_t events_max) {
  body = trim_json(body);
  const char* const end = body.data() + body.size();
  if (body.empty())
    return refuse("the body is empty");
  if (body.front() == '{') {
    if (is_ndjson(body))
      return split_lines(body, events_max);
    split_body one;
    one.ok = true;
    one.events.push_back(body);
    return one;
  }
  if (body.front() != '[')
    return refuse("the body is no JSON object, no array of them, and no NDJSON");
  split_body out;
  out.ok = true;
  const auto got = cut_array_recovering(body.data() + 1, end, events_max, out.events,
                                        [end](const char* p) { return only_blanks(p, end); });
  if (got.after == nullptr)
    return refuse("something follows the array of events");
  out.too_many = out.events.size() > events_max;
  return out;
}

split_body split_batch(std::string_view body, std::size_t events_max) {
  body = trim_json(body);
  const char* const end = body.data() + body.size();
  if (body.empty() || body.front() != '{')
    return refuse("the body is no JSON object with a field `batch`");
  split_body out;
  const char* batch = nullptr;
  if (!cut_fields(body.data() + 1, end, out.fields, &batch))
    return refuse("the body is no JSON object");
  if (batch == nullptr)
    return refuse("the body has no array `batch`");
  const auto head = out.fields.size();
  const auto got = cut_array_recovering(batch + 1, end, events_max, out.events, [&](const char* p) {
    out.fields.resize(head);
    return cut_tail(p, end, out.fields);
  });
  if (got.after == nullptr)
    return refuse("the body is no JSON object");
  if (!got.ok)
    out.fields.resize(head);
  out.ok = true;
  out.too_many = out.events.size() > events_max;
  return out;
}

} // namespace pulse
