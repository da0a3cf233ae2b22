// One look at a tenant's metric series: reads the hourly rollups, has the watch judge the hours that ended since the
// last look, stores what it found as alerts. Keeps nothing itself. Detached; made by the node_agent when a look is due,
// quits after it.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

/// Some minutes after the next whole hour, so that what arrives a little late is in it; tenants are spread over them.
time_ms next_look(tenant_id tenant, time_ms now);

struct series_watcher_state {
  static inline constexpr const char* name = "pulse.series_watcher";

  series_watcher_state(series_watcher_actor::pointer self, context_ptr context);

  series_watcher_actor::behavior_type make_behavior();

  /// Alerts that are new.
  result<std::int64_t> look(tenant_id tenant);

  series_watcher_actor::pointer self;
  context_ptr context;
};

using series_watcher = caf::stateful_actor<series_watcher_state, series_watcher_actor::base>;

} // namespace pulse
