// Checks a mapping document and compiles it; see mapping.hpp for the form.
#include <algorithm>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <span>

#include "base/encoding.hpp"
#include "models/enrichment/mapping_rule.hpp"

namespace pulse {

namespace {

using json = nlohmann::json;

constexpr std::size_t path_bytes_max = 256;
constexpr std::size_t path_levels_max = 16;
constexpr std::size_t value_bytes_max = 4096;

struct field_entry {
  std::string_view name;
  std::string event::*member;
};

constexpr field_entry members[] = {
    {"name", &event::name},
    {"customer", &event::customer},
    {"anonymous_id", &event::anonymous_id},
    {"store", &event::store},
    {"campaign", &event::campaign},
    {"country", &event::country},
    {"region", &event::region},
    {"city", &event::city},
    {"device", &event::device},
    {"browser", &event::browser},
    {"os", &event::os},
    {"referrer", &event::referrer},
};

/// Standard fields that are read out of the documents: writing to them is writing there.
struct alias_entry {
  std::string_view name;
  mapping_target::place in;
  std::string_view key;
};

constexpr alias_entry aliases[] = {
    {"order_id", mapping_target::place::properties, "order_id"},
    {"amount", mapping_target::place::properties, "revenue"},
    {"currency", mapping_target::place::properties, "currency"},
    {"email", mapping_target::place::properties, "email"},
    {"ip", mapping_target::place::context, "ip"},
    {"user_agent", mapping_target::place::context, "userAgent"},
};

constexpr std::pair<std::string_view, mapping_op> ops[] = {
    {"rename", mapping_op::rename}, {"cast", mapping_op::cast}, {"default", mapping_op::fill},
    {"drop", mapping_op::drop},     {"set", mapping_op::set},
};

constexpr std::pair<std::string_view, mapping_cast> casts[] = {
    {"number", mapping_cast::number},
    {"integer", mapping_cast::integer},
    {"string", mapping_cast::string},
    {"boolean", mapping_cast::boolean},
};

std::string unescape(std::string_view key) {
  std::string out;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const bool escape = key[i] == '~' && i + 1 < key.size() && (key[i + 1] == '0' || key[i + 1] == '1');
    out.push_back(!escape ? key[i] : key[i + 1] == '0' ? '~' : '/');
    i += escape ? 1 : 0;
  }
  return out;
}

/// Reads one rule, noting everything that is wrong with it.
class rule_reader {
public:
  rule_reader(const json& rule, std::string pointer, std::vector<note>& problems) :
    rule_(rule), pointer_(std::move(pointer)), problems_(problems) {
  }

  compiled_mapping::rule read() {
    if (!rule_.is_object()) {
      problem("", "wrong_type", "a rule is an object");
      return out_;
    }
    const auto word = text("op");
    const auto op = std::find_if(std::begin(ops), std::end(ops), [&](const auto& o) { return o.first == word; });
    if (op == std::end(ops)) {
      if (!word.empty())
        problem("/op", "unknown_op", "one of rename, cast, default, drop, set");
      return out_;
    }
    out_.op = op->second;
    if (rule_.contains("event"))
      out_.event_name = text("event");
    switch (out_.op) {
      case mapping_op::rename: read_rename(); break;
      case mapping_op::cast: read_cast(); break;
      case mapping_op::fill:
        read_target("path");
        read_value();
        only({"op", "event", "path", "value"});
        break;
      case mapping_op::drop:
        read_target("path");
        only({"op", "event", "path"});
        break;
      case mapping_op::set: read_set(); break;
    }
    return out_;
  }

private:
  void problem(std::string_view at, std::string_view code, std::string detail) {
    problems_.push_back({std::string(code), pointer_ + std::string(at), std::move(detail)});
  }

  std::string text(std::string_view key) {
    const auto found = rule_.find(key);
    if (found != rule_.end() && found->is_string() && !found->get_ref<const std::string&>().empty())
      return found->get<std::string>();
    problem(fmt::format("/{}", key), found == rule_.end() ? "missing" : "wrong_type",
            fmt::format("`{}` has to be a string with text", key));
    return {};
  }

  mapping_target target(std::string_view key) {
    const auto path = text(key);
    if (path.empty())
      return {};
    auto parsed = parse_mapping_target(path);
    if (!parsed)
      problem(fmt::format("/{}", key), "bad_path",
              fmt::format("`{}` is no path into /properties or /context and no standard field", path));
    return parsed.value_or(mapping_target{});
  }

  void read_target(std::string_view key) {
    out_.to = target(key);
  }

  void read_value() {
    const auto found = rule_.find("value");
    if (found == rule_.end()) {
      problem("/value", "missing", "`value` is wanted");
      return;
    }
    out_.value = found->dump(-1, ' ', false, json::error_handler_t::replace);
    if (out_.value.size() > value_bytes_max)
      problem("/value", "too_large", fmt::format("a value has at most {} bytes", value_bytes_max));
    if (out_.to.in == mapping_target::place::field && (found->is_structured() || found->is_null()))
      problem("/value", "wrong_type", "a standard field takes a string, a number or a boolean");
  }

  void read_source() {
    out_.from = target("from");
    if (out_.from->in == mapping_target::place::field)
      problem("/from", "bad_path", "a value is taken from /properties or /context");
  }

  void read_rename() {
    read_source();
    read_target("to");
    only({"op", "event", "from", "to"});
  }

  void read_cast() {
    read_target("path");
    if (out_.to.in == mapping_target::place::field)
      problem("/path", "bad_path", "this standard field is text and is not cast");
    const auto word = text("type");
    const auto type = std::find_if(std::begin(casts), std::end(casts), [&](const auto& c) { return c.first == word; });
    if (type != std::end(casts))
      out_.type = type->second;
    else if (!word.empty())
      problem("/type", "unknown_type", "one of number, integer, string, boolean");
    only({"op", "event", "path", "type"});
  }

  void read_set() {
    read_target("to");
    const bool constant = rule_.contains("value");
    if (constant == rule_.contains("from"))
      problem("", "invalid", "`set` takes either `value` or `from`");
    else if (constant)
      read_value();
    else
      read_source();
    only({"op", "event", "to", "value", "from"});
  }

  void only(std::initializer_list<std::string_view> keys) {
    for (const auto& [key, value] : rule_.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end())
        problem("/" + key, "unknown_key", fmt::format("`{}` means nothing here", key));
  }

  const json& rule_;
  std::string pointer_;
  std::vector<note>& problems_;
  compiled_mapping::rule out_;
};

struct read_mapping {
  json document;
  std::vector<compiled_mapping::rule> rules;
  std::vector<note> problems;
};

read_mapping read_document(std::string_view text) {
  read_mapping out;
  if (text.size() > mapping_bytes_max) {
    out.problems.push_back({"too_large", "", fmt::format("a mapping has at most {} bytes", mapping_bytes_max)});
    return out;
  }
  // Its limits on depth come first: the document type below recurses.
  json_index index;
  if (const auto fault = index.parse(text); fault != json_fault::none) {
    const auto code = fault == json_fault::not_object ? "wrong_type"
                      : fault == json_fault::syntax   ? "not_json"
                                                      : "too_large";
    out.problems.push_back(
        {code, index.fault_pointer(), "a mapping is a JSON object with a list `rules`: " + index.fault_detail()});
    return out;
  }
  out.document = json::parse(text, nullptr, false);
  if (!out.document.is_object()) {
    out.problems.push_back({"not_json", "", "a mapping is a JSON object with a list `rules`"});
    return out;
  }
  for (const auto& node : index.nodes())
    if (node.duplicate)
      out.problems.push_back({"duplicate_key", index.pointer(&node), fmt::format("`{}` stands twice", node.key)});
  for (const auto& [key, value] : out.document.items())
    if (key != "rules" && key != "description")
      out.problems.push_back({"unknown_key", "/" + key, fmt::format("`{}` means nothing here", key)});
  const auto rules = out.document.find("rules");
  if (rules == out.document.end() || !rules->is_array()) {
    out.problems.push_back(
        {rules == out.document.end() ? "missing" : "wrong_type", "/rules", "`rules` has to be a list"});
    return out;
  }
  if (rules->size() > mapping_rules_max) {
    out.problems.push_back(
        {"too_many", "/rules", fmt::format("{} rules; a mapping has at most {}", rules->size(), mapping_rules_max)});
    return out;
  }
  for (std::size_t i = 0; i < rules->size(); ++i)
    out.rules.push_back(rule_reader((*rules)[i], fmt::format("/rules/{}", i), out.problems).read());
  return out;
}

} // namespace

std::optional<mapping_target> parse_mapping_target(std::string_view path) {
  if (path.size() < 2 || path[0] != '/' || path.size() > path_bytes_max)
    return std::nullopt;
  json_path keys;
  for (std::size_t from = 1; from <= path.size();) {
    const auto stop = std::min(path.find('/', from), path.size());
    keys.push_back(unescape(path.substr(from, stop - from)));
    from = stop + 1;
  }
  mapping_target out;
  if (keys.size() == 1) {
    for (const auto& m : members)
      if (m.name == keys[0])
        return mapping_target{mapping_target::place::field, {}, m.member, keys[0]};
    for (const auto& a : aliases)
      if (a.name == keys[0])
        return mapping_target{a.in, {std::string(a.key)}, nullptr, keys[0]};
    return std::nullopt;
  }
  if (keys[0] != "properties" && keys[0] != "context")
    return std::nullopt;
  out.in = keys[0] == "context" ? mapping_target::place::context : mapping_target::place::properties;
  keys.erase(keys.begin());
  const bool empty_key = std::any_of(keys.begin(), keys.end(), [](const auto& k) { return k.empty(); });
  if (empty_key || keys.size() > path_levels_max)
    return std::nullopt;
  out.path = std::move(keys);
  return out;
}

std::vector<note> check_mapping(std::string_view document) {
  return read_document(document).problems;
}

result<std::shared_ptr<const compiled_mapping>> compiled_mapping::compile(std::string_view document) {
  auto read = read_document(document);
  if (!read.problems.empty())
    return error{ec::invalid, read.problems[0].detail, read.problems[0].pointer};
  auto out = std::shared_ptr<compiled_mapping>(new compiled_mapping);
  out->canonical_ = read.document.dump(-1, ' ', false, json::error_handler_t::replace);
  out->id_ = to_hex(sha256(out->canonical_));
  out->rules_ = std::make_shared<const std::vector<rule>>(std::move(read.rules));
  return std::shared_ptr<const compiled_mapping>(std::move(out));
}

} // namespace pulse
