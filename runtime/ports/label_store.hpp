// Port: what tenants say of their events afterwards. All calls block; one object per worker thread. Adapter:
// postgres/label_store.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "models/query/request.hpp"
#include "models/slot/control.hpp"
#include "ports/query_store.hpp"

namespace pulse {

/// A label for one event, named by one of the three.
struct given_label {
  std::optional<event_id> id;
  std::string message_id;
  std::string order_id;
  bool fraud = false;
  /// `chargeback`, `refund`, `review` ...: the tenant's own word; may be empty.
  std::string reason;
  /// When it was decided.
  time_ms decided_at;
};

/// What became of one: `ok`, `unchanged`, or `unknown` when there is no such event.
struct label_answer {
  std::string result;
  std::optional<event_id> id;
};

/// A label that is new or changed, and what had been decided on its event: approve, review, decline.
struct label_and_outcome {
  bool fraud = false;
  std::string outcome;
};

struct labelled {
  std::vector<label_answer> answers;
  std::vector<label_and_outcome> changed;
  /// Brings what changed into the tenant's log; nothing when nothing did.
  std::optional<slot::control> control;
};

struct stored_label {
  event_id id;
  bool fraud = false;
  std::string reason;
  time_ms decided_at;
  time_ms labelled_at;
  std::string labelled_by;
  std::string order_id;
};

/// A labelled event as it was judged.
struct judged_event {
  bool fraud = false;
  std::string outcome;
  std::string model;
  std::string parts_json;
};

class label_store {
public:
  virtual ~label_store() = default;

  /// All or nothing. Message ids are looked for among events of [from, to). The order that an id names is its Order
  /// Completed, else its latest event. An event named twice gets the last label.
  virtual result<labelled> put(tenant_id tenant, std::span<const given_label> labels, time_ms from, time_ms to,
                               const std::string& actor) = 0;

  /// The newest events first.
  virtual result<page_of<stored_label>> list(tenant_id tenant, const query::page_question& q) = 0;

  /// Labelled events of [from, to), the newest `max`.
  virtual result<std::vector<judged_event>> judged(tenant_id tenant, time_ms from, time_ms to, std::int64_t max) = 0;
};

} // namespace pulse
