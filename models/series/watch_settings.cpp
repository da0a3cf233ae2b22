// See watch_settings.hpp.
#include "models/series/watch_settings.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <optional>

#include "base/encoding.hpp"
#include "models/event/json_index.hpp"
#include "models/rules/document.hpp"

namespace pulse::series {

namespace {

using nlohmann::json;

class settings_reader {
public:
  explicit settings_reader(std::vector<rules::problem>& problems) : problems_(problems) {
  }

  watch_config read(const json& document) {
    watch_config out;
    for (const auto& [key, value] : document.items()) {
      const auto at = "/" + escape_pointer(key);
      if (key == "per_week")
        take(out.per_week, whole(value, at, 0, per_week_max));
      else if (key == "orders_min")
        take(out.orders_min, whole(value, at, 0, orders_min_max));
      else if (key == "sensitivity")
        take(out.sensitivity, sensitivity(value, at));
      else if (key == "metrics")
        read_metrics(value, out);
      else
        refuse("unknown_key", at,
               fmt::format("`{}` means nothing here: per_week, orders_min, sensitivity or metrics", key));
    }
    return out;
  }

private:
  void refuse(std::string code, std::string pointer, std::string detail) {
    problems_.push_back({std::move(code), std::move(pointer), std::move(detail), 0, 0});
  }

  template <class Field, class Value>
  static void take(Field& into, const std::optional<Value>& value) {
    if (value)
      into = static_cast<Field>(*value);
  }

  std::optional<std::int64_t> whole(const json& value, const std::string& at, std::int64_t least, std::int64_t most) {
    if (value.is_number_integer() && value >= least && value <= most)
      return value.get<std::int64_t>();
    refuse("wrong_type", at, fmt::format("a whole number from {} to {}", least, most));
    return std::nullopt;
  }

  std::optional<double> sensitivity(const json& value, const std::string& at) {
    if (value.is_number() && value >= 1 / sensitivity_max && value <= sensitivity_max)
      return value.get<double>();
    refuse("wrong_type", at, fmt::format("a number from {} to {}; 1 is usual", 1 / sensitivity_max, sensitivity_max));
    return std::nullopt;
  }

  /// One of the words; its place among them.
  std::optional<std::size_t> word(const json& value, const std::string& at, std::span<const std::string_view> words) {
    if (value.is_string())
      for (std::size_t i = 0; i < words.size(); ++i)
        if (value.get_ref<const std::string&>() == words[i])
          return i;
    refuse("wrong_type", at, fmt::format("one of {}", fmt::join(words, ", ")));
    return std::nullopt;
  }

  void read_metrics(const json& metrics, watch_config& out) {
    if (!metrics.is_object())
      return refuse("wrong_type", "/metrics", "an object: metrics by their names");
    for (const auto& [name, value] : metrics.items()) {
      const auto at = "/metrics/" + escape_pointer(name);
      if (std::find(std::begin(watched_metrics), std::end(watched_metrics), name) == std::end(watched_metrics))
        refuse("unknown_metric", at, fmt::format("one of {} is watched", fmt::join(watched_metrics, ", ")));
      else if (!value.is_object())
        refuse("wrong_type", at, "an object of state, direction and sensitivity");
      else
        out.metrics[name] = read_metric(value, at);
    }
  }

  metric_watch read_metric(const json& settings, const std::string& metric) {
    static constexpr std::string_view states[] = {"on", "off"}, directions[] = {"both", "up", "down"};
    static constexpr direction sides[] = {direction::both, direction::up, direction::down};
    metric_watch out;
    for (const auto& [key, value] : settings.items()) {
      const auto at = metric + "/" + escape_pointer(key);
      if (key == "state") {
        if (const auto i = word(value, at, states))
          out.on = *i == 0;
      } else if (key == "direction") {
        if (const auto i = word(value, at, directions))
          out.side = sides[*i];
      } else if (key == "sensitivity") {
        take(out.sensitivity, sensitivity(value, at));
      } else {
        refuse("unknown_key", at, "a metric has a state, a direction and a sensitivity");
      }
    }
    return out;
  }

  std::vector<rules::problem>& problems_;
};

struct read_settings {
  watch_config config;
  json document;
  std::vector<rules::problem> problems;
};

read_settings read(std::string_view text) {
  read_settings out;
  out.document = rules::read_json_object(text, watch_settings_bytes_max, "a document of detectors", out.problems);
  if (out.document.is_object())
    out.config = settings_reader(out.problems).read(out.document);
  return out;
}

} // namespace

std::vector<rules::problem> check_watch_settings(std::string_view document) {
  return read(document).problems;
}

result<watch_settings> watch_settings::compile(std::string_view document) {
  auto got = read(document);
  if (!got.problems.empty())
    return error{ec::invalid, got.problems[0].detail, got.problems[0].pointer};
  watch_settings out;
  out.canonical = got.document.dump();
  out.id = to_hex(sha256(out.canonical));
  out.config = std::move(got.config);
  return out;
}

} // namespace pulse::series
