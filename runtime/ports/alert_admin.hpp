// Port: endpoints, alerts and attempts as their tenant sees and changes them. All calls block; one object per worker
// thread. Another tenant's is `not_found`. Adapter: postgres/alert_admin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/series/feedback.hpp"

namespace pulse {

struct endpoint_record {
  uuid id;
  std::string kind;
  std::string url;
  /// Empty: all.
  std::vector<std::string> types;
  std::string description;
  bool disabled = false;
  std::string disabled_reason;
  std::string created_at;
};

/// What is set is changed.
struct endpoint_change {
  std::optional<std::string> url;
  std::optional<std::vector<std::string>> types;
  std::optional<std::string> description;
  std::optional<bool> disabled;
};

struct alert_record {
  uuid id;
  std::string type;
  std::string created_at;
  std::string incident_id;
  /// The `data` object, JSON.
  std::string data;
  /// new, told, held.
  std::string state;
  /// Why it is held; empty: it is not, or it is over the hourly limit.
  std::string held_reason;
  /// What was said of it, `{"verdict","note","at","by"}`; empty: nothing.
  std::string feedback;
};

struct alert_verdict {
  bool useful = false;
  std::string note;
};

struct judged_alerts {
  /// The earliest word first; those that were given before the time asked for as well, since later ones hang on them.
  std::vector<series::judged_incident> words;
  /// Metric alerts of the time asked for that were withheld, judged or not.
  std::int64_t withheld = 0;
};

struct attempt_record {
  uuid delivery_id;
  uuid alert_id;
  int attempt = 0;
  std::string at;
  std::optional<int> status;
  std::string outcome;
  double seconds = 0;
  std::string error;
  std::string reply_head;
  /// Of the next attempt; empty when there is none.
  std::string next_at;
  bool replay = false;
};

struct alert_filter {
  std::optional<time_ms> from;
  std::optional<time_ms> to;
  std::vector<std::string> types;
  std::string severity;
  /// Of alerts: new, told, held; empty: all.
  std::string state = {};
};

/// Newest first. `after` is the last row's `key` of the page before; empty: from the newest.
struct page_request {
  std::int64_t limit = 100;
  std::string after;
};

template <class Row>
struct page {
  std::vector<Row> rows;
  /// Empty: there is no more.
  std::string next;
};

class alert_admin {
public:
  virtual ~alert_admin() = default;

  virtual result<std::vector<endpoint_record>> endpoints(tenant_id tenant) = 0;
  virtual result<endpoint_record> endpoint(tenant_id tenant, const uuid& id) = 0;
  /// `conflict` when the tenant has as many as it may.
  virtual result<uuid> create_endpoint(tenant_id tenant, const endpoint_record& e, const std::string& secret,
                                       const std::string& actor) = 0;
  /// Disabling gives up what waits for it.
  virtual result<endpoint_record> update_endpoint(tenant_id tenant, const uuid& id, const endpoint_change& change,
                                                  const std::string& actor) = 0;
  virtual result<void> delete_endpoint(tenant_id tenant, const uuid& id, const std::string& actor) = 0;
  /// The old secret signs beside the new one for a day.
  virtual result<void> rotate_secret(tenant_id tenant, const uuid& id, const std::string& secret,
                                     const std::string& actor) = 0;
  /// An `endpoint.test` alert for this endpoint alone; its id.
  virtual result<uuid> test_endpoint(tenant_id tenant, const uuid& id, const std::string& actor) = 0;
  virtual result<page<attempt_record>> attempts(tenant_id tenant, const uuid& endpoint, const alert_filter& filter,
                                                const page_request& p) = 0;

  virtual result<page<alert_record>> alerts(tenant_id tenant, const alert_filter& filter, const page_request& p) = 0;
  virtual result<alert_record> alert(tenant_id tenant, const uuid& id) = 0;

  /// What somebody says of a metric alert; the last word counts, nothing takes it back. `conflict` for other types.
  virtual result<void> judge(tenant_id tenant, const uuid& alert, const std::optional<alert_verdict>& word,
                             const std::string& actor) = 0;
  virtual result<judged_alerts> judged(tenant_id tenant, time_ms from, time_ms to) = 0;

  /// Sends told alerts again; a delivery that waits is hurried instead. Without an endpoint to all enabled ones that
  /// want the type. Returns how many deliveries; with `dry_run` nothing changes.
  virtual result<std::int64_t> replay(tenant_id tenant, const alert_filter& filter, std::optional<uuid> endpoint,
                                      bool dry_run, const std::string& actor) = 0;
  virtual result<std::int64_t> resend(tenant_id tenant, const uuid& alert, bool dry_run, const std::string& actor) = 0;
  /// Enables the endpoint and sends what was told since and never reached it.
  virtual result<std::int64_t> recover(tenant_id tenant, const uuid& endpoint, const alert_filter& filter, bool dry_run,
                                       const std::string& actor) = 0;

  /// CIDRs that the tenant's webhooks may reach besides the public internet, parted by commas. Operators only.
  virtual result<std::string> networks(tenant_id tenant) = 0;
  virtual result<void> set_networks(tenant_id tenant, const std::string& cidrs, const std::string& actor) = 0;
};

} // namespace pulse
