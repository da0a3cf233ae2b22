// The log on standard error: JSON lines `ts, level, event, component, node, tenant_id, trace_id, request_id, left_out,
// msg` for machines, the same fields as a line of text for a person at a terminal. A stable event name first, prose
// second. Ids, never payloads. From any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace pulse::log {

enum class level : std::uint8_t { debug, info, warning, error };

struct fields {
  std::optional<tenant_id> tenant;
  std::optional<trace_id> trace;
  std::string request_id;
};

/// What one line says; what it does not know is empty or 0.
struct line {
  time_ms at;
  level severity = level::info;
  std::string_view event, component, node, msg;
  const fields& about;
  std::int64_t left_out = 0; ///< lines like this one that were counted instead of written
};

std::string as_json(const line& l);

/// `12:00:01.250 warning store.behind (store): prose  [tenant_id=1 trace_id=...]`, UTC; a node's name is left out.
std::string as_text(const line& l);

/// Once at start. `least`: `debug`, `info`, `warning`, `error`. `format`: `json`, `text`, or `auto`, which is text
/// where standard error is a terminal.
void start(std::string_view least, std::string_view format, std::string_view node);

void write(level l, std::string_view event, std::string_view component, std::string_view msg, const fields& f = {});

inline void info(std::string_view event, std::string_view component, std::string_view msg, const fields& f = {}) {
  write(level::info, event, component, msg, f);
}

inline void warning(std::string_view event, std::string_view component, std::string_view msg, const fields& f = {}) {
  write(level::warning, event, component, msg, f);
}

inline void error(std::string_view event, std::string_view component, std::string_view msg, const fields& f = {}) {
  write(level::error, event, component, msg, f);
}

} // namespace pulse::log
