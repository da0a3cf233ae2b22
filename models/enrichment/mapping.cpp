#include "models/enrichment/mapping.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "models/enrichment/mapping_rule.hpp"
#include "models/event/standard_fields.hpp"
#include "models/event/standardise.hpp"

namespace pulse {

namespace {

/// A scalar as text: a string's characters, a number's digits; nothing for objects, arrays and null.
std::optional<std::string> scalar_text(std::string_view raw) {
  if (raw.empty() || raw[0] == '{' || raw[0] == '[' || raw == "null")
    return std::nullopt;
  if (raw[0] != '"')
    return std::string(raw);
  thread_local json_index index;
  if (index.parse("{\"\":" + std::string(raw) + "}") != json_fault::none)
    return std::nullopt;
  return std::string(index.first(index.root())->text);
}

bool is_absent(std::string_view raw) {
  return raw.empty() || raw == "null" || raw == "\"\"";
}

std::string quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::optional<std::string> cast_number(const std::string& text, bool integer) {
  const auto value = parse_decimal(text);
  if (!value)
    return std::nullopt;
  if (integer) {
    const auto whole = (value->micro + (value->micro < 0 ? -500'000 : 500'000)) / 1'000'000;
    return std::to_string(whole);
  }
  // Digits that are a JSON number already stay as they are, however many.
  thread_local json_index index;
  return index.parse("{\"\":" + text + "}") == json_fault::none ? text : value->str();
}

std::optional<std::string> cast_boolean(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (std::string_view yes : {"true", "1", "yes", "on"})
    if (text == yes)
      return "true";
  for (std::string_view no : {"false", "0", "no", "off"})
    if (text == no)
      return "false";
  return std::nullopt;
}

std::optional<std::string> cast(std::string_view raw, mapping_cast type) {
  const auto text = scalar_text(raw);
  if (!text)
    return std::nullopt;
  switch (type) {
    case mapping_cast::number: return cast_number(*text, false);
    case mapping_cast::integer: return cast_number(*text, true);
    case mapping_cast::string: return quoted(*text);
    case mapping_cast::boolean: return cast_boolean(*text);
  }
  return std::nullopt;
}

/// One event under one mapping.
class application {
public:
  explicit application(event& e) :
    event_(e), name_(e.name), properties_(e.properties), context_(e.context), notes_(&e.notes) {
  }

  void run(const compiled_mapping::rule& r, std::size_t position) {
    if (!r.event_name.empty() && r.event_name != name_)
      return;
    rule_ = fmt::format("mapping:{}", position);
    switch (r.op) {
      case mapping_op::rename: rename(r); break;
      case mapping_op::cast: convert(r); break;
      case mapping_op::fill: fill(r); break;
      case mapping_op::drop: drop(r.to); break;
      case mapping_op::set: set(r); break;
    }
  }

  void finish(currency fallback) {
    const bool renamed = event_.name != name_;
    if (properties_.changed())
      event_.properties = properties_.str();
    if (context_.changed())
      event_.context = context_.str();
    if (renamed || properties_.changed() || context_.changed())
      read_again(event_, fallback);
  }

private:
  json_edit& document(const mapping_target& t) {
    return t.in == mapping_target::place::context ? context_ : properties_;
  }

  void failed(std::string_view code, std::string_view detail) {
    notes_.add(code, "", fmt::format("{}: {}", rule_, detail));
  }

  void put(const mapping_target& to, std::string_view value) {
    if (to.in == mapping_target::place::field) {
      const auto text = scalar_text(value);
      if (!text) {
        failed("mapping_failed", "a standard field takes no object, list or null");
        return;
      }
      event_.*to.member = *text;
    } else if (!document(to).set(to.path, value)) {
      failed("mapping_failed", "something on the way to the target is no object");
      return;
    }
    if (!to.field.empty())
      event_.origins.push_back({to.field, rule_});
  }

  void rename(const compiled_mapping::rule& r) {
    const auto value = std::string(document(*r.from).get(r.from->path));
    if (value.empty())
      return;
    document(*r.from).drop(r.from->path);
    put(r.to, value);
  }

  void convert(const compiled_mapping::rule& r) {
    auto& place = document(r.to);
    const auto value = place.get(r.to.path);
    if (value.empty() || value == "null")
      return;
    const auto converted = cast(value, r.type);
    if (!converted)
      failed("cast_failed", "the value can't be converted and was left as it is");
    else if (*converted != value)
      place.set(r.to.path, *converted);
  }

  bool is_set(const mapping_target& t) {
    if (t.in == mapping_target::place::field)
      return !(event_.*t.member).empty();
    // An amount stands under any of three names.
    if (t.field == "amount")
      for (auto key : {"revenue", "total", "value"})
        if (!is_absent(properties_.get({key})))
          return true;
    return !is_absent(document(t).get(t.path));
  }

  void fill(const compiled_mapping::rule& r) {
    if (!is_set(r.to))
      put(r.to, r.value);
  }

  void drop(const mapping_target& t) {
    if (t.in == mapping_target::place::field)
      (event_.*t.member).clear();
    else
      document(t).drop(t.path);
  }

  void set(const compiled_mapping::rule& r) {
    const auto value = r.from ? std::string(document(*r.from).get(r.from->path)) : r.value;
    if (!r.from || !is_absent(value))
      put(r.to, value);
  }

  event& event_;
  /// The name it came under; rules are chosen by it even after one changed the name.
  std::string name_;
  json_edit properties_;
  json_edit context_;
  note_sink notes_;
  std::string rule_;
};

} // namespace

std::size_t compiled_mapping::size() const {
  return rules_->size();
}

void compiled_mapping::apply(event& e, currency fallback) const {
  if (rules_->empty())
    return;
  application work(e);
  for (std::size_t i = 0; i < rules_->size(); ++i)
    work.run((*rules_)[i], i);
  work.finish(fallback);
}

} // namespace pulse
