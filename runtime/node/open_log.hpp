// The log that the settings choose, behind its port, and what it counts for /metrics.
#pragma once

#include <functional>
#include <memory>

#include "base/time.hpp"
#include "ports/event_log.hpp"
#include "settings/settings.hpp"
#include "spill/spill.hpp"
#include "telemetry/metrics.hpp"

namespace pulse {

struct opened_log {
  std::unique_ptr<event_log> log;
  /// Valid while the log is.
  std::function<void(metrics&)> show;
};

/// The error says what to do.
result<opened_log> open_log(const settings& conf, time_ms now);

/// What takes events in on this node's disk while Kafka is away; null where the settings want none and no earlier run
/// left any. With no room given it takes nothing more, and what is there follows.
result<std::unique_ptr<spill>> open_spill(const settings& conf, event_log& log, time_ms now);

void show(const spill_stats& s, metrics& m);

} // namespace pulse
