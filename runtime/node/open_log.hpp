// The log that the settings choose, behind its port, and what it counts for /metrics.
#pragma once

#include <functional>
#include <memory>

#include "base/time.hpp"
#include "ports/event_log.hpp"
#include "settings/settings.hpp"
#include "telemetry/metrics.hpp"

namespace pulse {

struct opened_log {
  std::unique_ptr<event_log> log;
  /// Valid while the log is.
  std::function<void(metrics&)> show;
};

/// The error says what to do.
result<opened_log> open_log(const settings& conf, time_ms now);

} // namespace pulse
