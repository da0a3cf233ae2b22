#include "telemetry/log.hpp"

#include <atomic>
#include <fmt/format.h>
#include <map>
#include <mutex>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/json_text.hpp"
#include "base/time.hpp"

namespace pulse::log {

namespace {

std::atomic<level> least_level{level::info};
std::string node_name;
std::shared_ptr<spdlog::logger> sink;

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

} // namespace

void start(std::string_view least, std::string_view node) {
  for (auto l : {level::debug, level::info, level::warning, level::error})
    if (name(l) == least)
      least_level = l;
  node_name = node;
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
  std::string out = "{";
  const auto text = [&out](std::string_view key, std::string_view value) {
    append_json_name(out, key);
    append_json(out, value);
  };
  text("ts", format_time(system_clock().now()));
  text("level", name(l));
  text("event", event);
  text("component", component);
  text("node", node_name);
  if (f.tenant)
    text("tenant_id", std::to_string(f.tenant->value));
  if (f.trace && !f.trace->value.is_nil())
    text("trace_id", f.trace->hex());
  if (!f.request_id.empty())
    text("request_id", f.request_id);
  if (*left_out > 0)
    text("left_out", std::to_string(*left_out));
  text("msg", msg);
  sink->log(spdlog::level::info, out + "}");
}

} // namespace pulse::log
