// The log: JSON lines `ts, level, event, component, tenant_id, trace_id, msg` on standard error. A stable event name
// first, prose second. Ids, never payloads. From any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"

namespace pulse::log {

enum class level : std::uint8_t { debug, info, warning, error };

struct fields {
  std::optional<tenant_id> tenant;
  std::optional<trace_id> trace;
  std::string request_id;
};

/// Once at start. `debug`, `info`, `warning`, `error`.
void start(std::string_view least, std::string_view node);

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
