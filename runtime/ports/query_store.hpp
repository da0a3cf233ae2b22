// Port: what tenants ask of what is stored. All calls block and read one tenant's rows alone; one object per worker
// thread. Adapter: postgres/query_store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "models/query/answer.hpp"
#include "models/query/campaigns.hpp"
#include "models/query/request.hpp"

namespace pulse {

struct event_label {
  bool fraud = false;
  std::string reason;
  time_ms decided_at;
  time_ms labelled_at;
};

/// An event as it is stored. `*_json` are JSON texts; empty where nothing is stored.
struct stored_event {
  event_id id;
  std::string message_id;
  std::string type;
  std::string name;
  time_ms occurred_at;
  time_ms received_at;
  time_ms stored_at;
  bool test = false;
  std::string customer;
  std::string anonymous_id;
  std::string store;
  std::string campaign;
  std::string products_json;
  std::string order_id;
  std::optional<money> amount;
  std::string country;
  std::string region;
  std::string city;
  std::string device;
  std::string browser;
  std::string os;
  bool bot = false;
  std::string referrer;
  std::int32_t risk_milli = 0;
  std::string risk_level;
  std::string risk_outcome;
  std::optional<double> anomaly;
  std::string model;
  bool degraded = false;
  std::string parts_json;
  /// As they were scored; empty where nothing is stored.
  std::vector<float> features;
  std::string properties_json;
  std::string context_json;
  std::string provenance_json;
  std::string warnings_json;
  /// What the tenant said of it afterwards.
  std::optional<event_label> label;
  trace_id trace;
  std::string node;
  slot_id slot;
  log_offset offset;
};

struct failed_event {
  uuid id;
  time_ms received_at;
  std::string stage;
  std::string code;
  std::string detail;
  std::string pointer;
  std::string message_id;
  slot_id slot;
  log_offset offset;
  std::string body;
  std::optional<time_ms> replayed_at;
};

struct alert_step {
  uuid id;
  time_ms created_at;
  std::string type;
  std::string severity;
  std::string title;
  /// `new`, `told`, `held`.
  std::string state;
};

struct delivery_step {
  uuid endpoint;
  std::int64_t attempt = 0;
  time_ms at;
  std::optional<std::int64_t> status;
  std::string error;
  double seconds = 0;
};

/// What is known of one event: it is stored, or failed (or, replayed, both).
struct event_trail {
  std::optional<stored_event> stored;
  std::vector<failed_event> failed;
  std::optional<alert_step> alert;
  std::vector<delivery_step> deliveries;
};

struct tenant_use {
  std::int64_t rate = 0;
  std::int64_t burst = 0;
  std::int64_t raw = 0;
  std::int64_t stored = 0;
  std::int64_t duplicates = 0;
  std::int64_t failed = 0;
};

template <class Row>
struct page_of {
  std::vector<Row> rows;
  bool has_more = false;
};

/// Everything but what is named below answers `unavailable` when Postgres is away or the question takes too long.
class query_store {
public:
  virtual ~query_store() = default;

  /// `invalid` for an unknown time zone, and for more points than an answer holds.
  virtual result<query::metric_answer> metric(tenant_id tenant, const query::metric_question& q) = 0;

  /// By id: that is the order of the events' own time.
  virtual result<page_of<stored_event>> events(tenant_id tenant, const query::events_question& q) = 0;
  /// `not_found`, also for what is another tenant's.
  virtual result<stored_event> event(tenant_id tenant, const event_id& id) = 0;
  /// By event id, failed event's id or message id; the message id within the range. `not_found`.
  virtual result<event_trail> trail(tenant_id tenant, const std::string& id, time_ms from, time_ms to) = 0;
  /// The newest first.
  virtual result<page_of<failed_event>> failed_events(tenant_id tenant, const query::failed_question& q) = 0;
  virtual result<tenant_use> use(tenant_id tenant) = 0;
  /// The bytes of an immutable version. `not_found`.
  virtual result<std::string> version(tenant_id tenant, const std::string& kind, const std::string& hash) = 0;
  /// The bytes of the version in force; nothing where there is none.
  virtual result<std::optional<std::string>> live_version(tenant_id tenant, const std::string& kind) = 0;
  /// Of events in [from, to) that name a campaign: orders and spend by campaign, store and country.
  virtual result<std::vector<query::campaign_row>> campaigns(tenant_id tenant, time_ms from, time_ms to) = 0;
};

} // namespace pulse
