#include "models/source/record_mapping.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/time.hpp"

namespace pulse::source {

namespace {

using json = nlohmann::json;

constexpr std::size_t rules_max = 100;
constexpr std::size_t depth_max = 8;
constexpr std::array<std::string_view, 12> members = {"type",        "event",     "name",      "userId",
                                                      "anonymousId", "messageId", "timestamp", "properties",
                                                      "traits",      "context",   "groupId",   "previousId"};

error wrong(const std::string& to, std::string detail) {
  return {ec::invalid, fmt::format("mapping of '{}': {}", to, detail), "/mapping/" + escape_pointer(to)};
}

/// RFC 6901; nothing for what is no pointer, or a deep one.
std::optional<std::vector<std::string>> split(std::string_view pointer) {
  std::vector<std::string> out;
  if (!pointer.empty() && pointer.front() != '/')
    return std::nullopt;
  for (std::size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] == '/') {
      out.emplace_back();
    } else if (pointer[i] == '~') {
      if (i + 1 >= pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1'))
        return std::nullopt;
      out.back() += pointer[++i] == '0' ? '~' : '/';
    } else {
      out.back() += pointer[i];
    }
  }
  return out.size() <= depth_max ? std::optional(std::move(out)) : std::nullopt;
}

const json_node* find(const json_index& record, const std::vector<std::string>& path) {
  const auto* at = record.root();
  for (const auto& token : path) {
    if (at == nullptr)
      return nullptr;
    if (at->kind == json_kind::object) {
      at = record.find(at, token);
      continue;
    }
    std::size_t wanted = 0;
    const auto [end, bad] = std::from_chars(token.data(), token.data() + token.size(), wanted);
    if (at->kind != json_kind::array || bad != std::errc{} || end != token.data() + token.size() || wanted >= at->size)
      return nullptr;
    const auto* element = record.first(at);
    for (std::size_t i = 0; i < wanted && element != nullptr; ++i)
      element = record.next(element);
    at = element;
  }
  return at;
}

bool is_below(const std::vector<std::string>& outer, const std::vector<std::string>& inner) {
  return outer.size() <= inner.size() && std::equal(outer.begin(), outer.end(), inner.begin());
}

/// Whole units of a number or of a string of digits, a fraction cut.
result<std::string> to_time(const json_node& node, std::int64_t unit_ms) {
  const auto digits = node.text;
  std::int64_t n = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  constexpr std::int64_t latest = 253'402'300'799'999; // 9999-12-31
  const bool whole = bad == std::errc{} && (end == digits.data() + digits.size() || *end == '.');
  if (!whole || n < 0 || n > latest / unit_ms)
    return error{ec::invalid,
                 fmt::format("'{}' is no number of {} since 1970", digits.substr(0, 40),
                             unit_ms == 1 ? "milliseconds" : "seconds"),
                 ""};
  return fmt::format("\"{}\"", format_time(time_ms{n * unit_ms}));
}

} // namespace

struct mapping_reader {
  using rule = record_mapping::rule;

  static result<rule> read(const std::string& to, const json& from) {
    rule out;
    const auto place = split(to);
    if (!place || place->empty() || std::find(members.begin(), members.end(), place->front()) == members.end())
      return wrong(to, fmt::format("its place is a JSON pointer such as /userId or /properties/total that begins with "
                                   "one of {}",
                                   fmt::join(members, ", ")));
    out.to = *place;
    if (from.is_string())
      return take_from(to, from, std::move(out));
    if (!from.is_object())
      return wrong(to, "a JSON pointer into the record, {\"value\": …}, or {\"from\": …, \"default\": …, \"as\": …}");
    if (const auto it = from.find("value"); it != from.end()) {
      out.constant = true;
      out.value = it->dump();
      return from.size() == 1 ? result<rule>(std::move(out)) : wrong(to, "a constant has `value` alone");
    }
    for (const auto& [name, value] : from.items()) {
      if (name == "default")
        out.value = value.dump();
      else if (name == "as" && value == "epoch_ms")
        out.as = record_mapping::conversion::epoch_ms;
      else if (name == "as" && value == "epoch_s")
        out.as = record_mapping::conversion::epoch_s;
      else if (name == "as")
        return wrong(to, "as: epoch_ms or epoch_s");
      else if (name != "from")
        return wrong(to, fmt::format("there is no '{}'; value, or from, default and as", name));
    }
    const auto it = from.find("from");
    if (it == from.end() || !it->is_string())
      return wrong(to, "`from` is missing: a JSON pointer into the record");
    return take_from(to, *it, std::move(out));
  }

  static result<rule> take_from(const std::string& to, const json& pointer, rule out) {
    auto path = split(pointer.get<std::string>());
    if (!path)
      return wrong(
          to, fmt::format("'{}' is no JSON pointer into a record, such as /customer/id", pointer.get<std::string>()));
    out.from = std::move(*path);
    return out;
  }
};

result<record_mapping> record_mapping::compile(std::string_view text) {
  const auto m = json::parse(text, nullptr, false);
  if (!m.is_object() || m.size() > rules_max)
    return error{ec::invalid, fmt::format("mapping: an object of up to {} places", rules_max), "/mapping"};
  record_mapping out;
  for (const auto& [to, from] : m.items()) {
    auto one = mapping_reader::read(to, from);
    if (!one)
      return one.err();
    out.rules_.push_back(std::move(*one));
  }
  std::sort(out.rules_.begin(), out.rules_.end(), [](const rule& a, const rule& b) { return a.to < b.to; });
  for (std::size_t i = 1; i < out.rules_.size(); ++i)
    if (is_below(out.rules_[i - 1].to, out.rules_[i].to))
      return wrong(fmt::format("/{}", fmt::join(out.rules_[i].to, "/")),
                   fmt::format("it lies in /{}, which is mapped as a whole", fmt::join(out.rules_[i - 1].to, "/")));
  return out;
}

result<std::string> record_mapping::apply(const json_index& record) const {
  std::string out = "{";
  std::vector<std::string> open;
  const auto close_to = [&](std::size_t depth) {
    for (; open.size() > depth; open.pop_back())
      out += '}';
  };
  for (const auto& r : rules_) {
    std::string value;
    const auto* node = r.constant ? nullptr : find(record, r.from);
    if (node == nullptr || node->kind == json_kind::null) {
      value = r.value;
    } else if (r.as == conversion::none) {
      value = node->raw;
    } else {
      auto time = to_time(*node, r.as == conversion::epoch_ms ? 1 : second_ms);
      if (!time)
        return error{ec::invalid, fmt::format("/{}: {}", fmt::join(r.from, "/"), time.err().detail),
                     fmt::format("/{}", fmt::join(r.from, "/"))};
      value = std::move(*time);
    }
    if (value.empty())
      continue;
    std::size_t shared = 0;
    while (shared < open.size() && shared + 1 < r.to.size() && open[shared] == r.to[shared])
      ++shared;
    close_to(shared);
    for (auto i = shared; i < r.to.size(); ++i) {
      if (out.back() != '{')
        out += ',';
      append_json_string(out, r.to[i]);
      out += ':';
      if (i + 1 < r.to.size()) {
        out += '{';
        open.push_back(r.to[i]);
      }
    }
    out += value;
  }
  close_to(0);
  out += '}';
  return out;
}

} // namespace pulse::source
