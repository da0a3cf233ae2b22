#include "telemetry/log.hpp"

#include <atomic>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/json_text.hpp"

namespace pulse::log {

namespace {

std::atomic<level> least_level{level::info};
std::string node_name;
std::shared_ptr<spdlog::logger> sink;
bool for_people = false;

/// The same event from the same component and tenant more often than this in a second is counted, not written.
constexpr int repeats_per_second_max = 5;

struct repeat {
  std::int64_t second = 0;
  int written = 0;
  std::int64_t left_out = 0;
};

/// How many lines were left out before this one; nothing when this one is to be left out too.
std::optional<std::int64_t> admit(std::string_view event, const fields& f) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::int32_t>, repeat> seen;
  const auto second = system_clock().monotonic_ms() / 1000;
  const std::lock_guard lock(mutex);
  if (seen.size() > 10'000)
    seen.clear();
  auto& r = seen[{std::string(event), f.tenant ? f.tenant->value : 0}];
  if (r.second != second) {
    r.second = second;
    r.written = 0;
  }
  if (++r.written > repeats_per_second_max) {
    ++r.left_out;
    return std::nullopt;
  }
  return std::exchange(r.left_out, 0);
}

std::string_view name(level l) {
  switch (l) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warning: return "warning";
    case level::error: return "error";
  }
  return "error";
}

/// The ids a line carries, each by its name.
template <class Each>
void each_id(const line& l, Each each) {
  if (l.about.tenant)
    each("tenant_id", std::to_string(l.about.tenant->value));
  if (l.about.trace && !l.about.trace->value.is_nil())
    each("trace_id", l.about.trace->hex());
  if (!l.about.request_id.empty())
    each("request_id", l.about.request_id);
  if (l.left_out > 0)
    each("left_out", std::to_string(l.left_out));
}

} // namespace

std::string as_json(const line& l) {
  std::string out = "{";
  const auto text = [&out](std::string_view key, std::string_view value) {
    append_json_name(out, key);
    append_json(out, value);
  };
  text("ts", format_time(l.at));
  text("level", name(l.severity));
  text("event", l.event);
  text("component", l.component);
  text("node", l.node);
  each_id(l, text);
  text("msg", l.msg);
  return out + "}";
}

std::string as_text(const line& l) {
  const auto when = format_time(l.at);
  // The day is the reader's own; the clock stands between "T" and "Z".
  const auto clock = std::string_view(when).substr(when.find('T') + 1);
  auto out =
      fmt::format("{} {:<7} {} ({}): ", clock.substr(0, clock.find('Z')), name(l.severity), l.event, l.component);
  // A message with line breaks of a foreign library stays one line.
  for (char c : l.msg)
    out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
  std::string ids;
  each_id(l, [&ids](std::string_view key, std::string_view value) {
    ids += fmt::format("{}{}={}", ids.empty() ? "  [" : " ", key, value);
  });
  return ids.empty() ? out : out + ids + "]";
}

void start(std::string_view least, std::string_view format, std::string_view node) {
  for (auto l : {level::debug, level::info, level::warning, level::error})
    if (name(l) == least)
      least_level = l;
  for_people = format == "text" || (format == "auto" && isatty(STDERR_FILENO) != 0);
  node_name = node;
  // A verb may start one node after the other.
  spdlog::drop("pulse");
  sink = spdlog::stderr_logger_mt("pulse");
  sink->set_pattern("%v");
  sink->flush_on(spdlog::level::trace);
}

void write(level l, std::string_view event, std::string_view component, std::string_view msg, const fields& f) {
  if (l < least_level.load() || !sink)
    return;
  const auto left_out = l >= level::warning ? admit(event, f) : std::optional<std::int64_t>(0);
  if (!left_out)
    return;
  const line said{system_clock().now(), l, event, component, node_name, msg, f, *left_out};
  sink->log(spdlog::level::info, for_people ? as_text(said) : as_json(said));
}

} // namespace pulse::log
