// Port: what the watch over a tenant's metrics reads and keeps. Blocking; adapter: postgres/series_store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/alert/candidate.hpp"
#include "models/series/watch.hpp"

namespace pulse {

/// History that a look judges by.
inline constexpr int history_weeks = 8;

/// Hourly sums from the rollups, whole hours only.
struct metric_history {
  series::watch_question question;
  /// The tenant's own settings in force.
  series::watch_config config;
  /// ISO 4217; empty while no money came.
  std::string currency;
  /// End of the last whole hour: what is judged up to now.
  time_ms to;
};

/// An alert that is stored and told to nobody.
struct held_alert {
  alert::candidate alert;
  std::string reason;
};

struct watch_findings {
  std::vector<alert::candidate> told;
  std::vector<held_alert> held;
};

class series_store {
public:
  virtual ~series_store() = default;

  /// Nobody else begins with this tenant in so many seconds: the claim of a look that begins.
  virtual result<void> claim(tenant_id tenant, std::int64_t seconds) = 0;

  /// The last `weeks` up to the hour that ended before `now`, fresh from where the last look ended, at most a day back:
  /// older events are not alerted. Totals of each metric, and the segments that most orders are of; what was told,
  /// withheld and judged before. `not_found`.
  virtual result<metric_history> history(tenant_id tenant, time_ms now, int weeks) = 0;

  /// Stores the alerts (each once, whatever is repeated), how far was judged, and when to look again; all or none. The
  /// alerts that are new and told.
  virtual result<std::int64_t> conclude(tenant_id tenant, time_ms judged_to, const watch_findings& found,
                                        time_ms next) = 0;
};

} // namespace pulse
