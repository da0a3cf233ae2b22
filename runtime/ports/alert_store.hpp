// Port: alerts from candidate to recorded attempt, as the alerting actor sees them. All calls block: they belong to
// the store_worker actors, one object each. What is decided and claimed is in the database before anything is sent, so
// a crash at any point loses nothing. Adapter: postgres/alert_store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/alert/webhook.hpp"

namespace pulse {

struct planned_alerts {
  std::int64_t told = 0;
  /// Over the hourly limit; a summary will tell of them.
  std::int64_t held = 0;
  std::int64_t summaries = 0;
  std::int64_t deliveries = 0;
  /// There may be more candidates than one call takes.
  bool more = false;
};

struct claim_limits {
  std::int64_t max = 64;
  /// Of one endpoint, so that one that is dead cannot take all places.
  std::int64_t per_endpoint = 8;
  /// Longer than the longest attempt with its time in the notifier's queue.
  std::int64_t lease_ms = 180'000;
  /// Endpoints that get nothing now.
  std::vector<uuid> busy;
};

/// One attempt that is to be made now by whoever claimed it.
struct claimed_delivery {
  uuid delivery_id;
  /// From 1.
  int attempt = 0;
  uuid endpoint_id;
  alert::outgoing_alert alert;
  trace_id trace;
  std::string url;
  /// `whsec_…`: the present one, and the last one while it is still good.
  std::vector<std::string> secrets;
  /// CIDRs that this tenant's webhooks may reach besides the public internet.
  std::string allow;
};

struct attempt_result {
  uuid delivery_id;
  int attempt = 0;
  /// 0: no answer.
  int status = 0;
  std::string error;
  /// No later attempt can do better, such as with a URL that is none.
  bool hopeless = false;
  double seconds = 0;
  std::string reply_head;
  std::optional<std::int64_t> retry_after_s;
  /// From [0, 1): spreads the retries.
  double chance = 0.5;
};

/// What became of the delivery. `stale`: the lease ran out and somebody else claimed it; the attempt is kept in the log
/// of attempts and changes nothing.
enum class recorded : std::uint8_t { delivered, retry, failed, disabled, stale };

std::string_view to_string(recorded r);

class alert_store {
public:
  virtual ~alert_store() = default;

  /// Decides candidates: at most ten `event.flagged` an hour are told, then one summary; told ones get their incident
  /// and a delivery per endpoint that wants their type.
  virtual result<planned_alerts> plan(tenant_id tenant, time_ms now) = 0;

  /// Deliveries whose time has come, under a lease and the next attempt's number.
  virtual result<std::vector<claimed_delivery>> claim(tenant_id tenant, time_ms now, const claim_limits& limits) = 0;

  /// What became of each, in order; all or none. Only the attempt that was claimed last changes a delivery. 410
  /// disables the endpoint.
  virtual result<std::vector<recorded>> record(tenant_id tenant, time_ms now,
                                               const std::vector<attempt_result>& results) = 0;
};

} // namespace pulse
