// The two shapes of an event inside PulseEcom: what ingestion wrote to the log (raw_event), and what the slot's
// children fill in and the store keeps (event). Plain data; no logic but trivial questions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/time.hpp"

namespace pulse {

/// What a record of the raw log is.
enum class raw_kind : std::uint8_t { event, refused, control };

/// Something odd about an event that did not stop it; `pointer` is a JSON pointer into the event.
struct note {
  std::string code;
  std::string pointer;
  std::string detail;

  bool operator==(const note&) const = default;
};

/// A record of the raw log, decoded. For `refused`, `body` is what was sent (cut to 32 KB) and `notes[0]` says
/// why. For `control`, `body` is the control record's JSON (see models/slot/control.hpp).
struct raw_event {
  raw_kind kind = raw_kind::event;
  event_id id;
  /// Empty when the client gave none (and no Idempotency-Key to derive one from).
  std::string message_id;
  /// `track`, `identify` ...: where the body has no type, or another, the route's. Empty for anything but an event.
  std::string type;
  time_ms occurred_at;
  time_ms received_at;
  /// The id's time is the client's own; otherwise the door minted it, and message_seen deduplicates.
  bool timed = false;
  /// Came with a pe_test_ key: scored and kept a week, never counted, never alerted, touches no state.
  bool test = false;
  /// The socket's address, only where the key was a publishable one; else empty.
  std::string client_ip;
  trace_id trace;
  std::vector<note> notes;
  /// The event's own JSON object, repaired where a note says so.
  std::string body;
  /// The batch-level `context` object, merged under the event's own; empty for none.
  std::string batch_context;
};

/// A line of an order, cart or product event.
struct order_line {
  std::string product_id;
  std::string name;
  std::string category;
  decimal price;
  decimal quantity;

  bool operator==(const order_line&) const = default;
};

/// What tells payments apart; empty where the client sends none.
struct payment {
  /// A fingerprint or another name of the card that is no card number.
  std::string card;
  std::string device;
  /// Street, post code and country without case and blanks: of shipping, else of billing.
  std::string address;
  std::string coupon;
  /// Where the client's IP address is, when `country` is that of an address the client gave. By enrichment.
  std::string ip_country;
  bool declined = false;
};

/// One part of a risk score; the parts' points add up to the score.
struct risk_part {
  /// `model`, `range`, `local`, `fraud`, `rule`; with 0 points `fraud_model`, `shadow_model`,
  /// `shadow`, `snoozed`, `rules`, `lists`.
  std::string source;
  /// Feature or rule name.
  std::string name;
  double points = 0;
  std::string detail;
  /// The value seen and what is typical, where the part is about a number.
  std::optional<double> value;
  std::optional<double> typical;

  bool operator==(const risk_part&) const = default;
};

struct risk {
  /// 0 to 100.
  double score = 0;
  /// `low`, `medium`, `high`, `critical`.
  std::string level;
  /// `approve`, `review`, `decline`.
  std::string outcome;
  /// The model's own raw score in (0, 1); higher is more unusual. Nothing without a model.
  std::optional<double> anomaly;
  /// Id of the model that scored; empty without one.
  std::string model;
  /// A part of scoring was missing; `detail` of a part says which.
  bool degraded = false;
  std::vector<risk_part> parts;
};

/// Where a derived field came from: `rule` such as `mapping:3`, `geo`, `utm`, `address`.
struct provenance {
  std::string field;
  std::string rule;

  bool operator==(const provenance&) const = default;
};

/// An event on its way through the slot. Ingestion's decode fills the first part, enrichment the second,
/// scoring the third.
struct event {
  tenant_id tenant;
  event_id id;
  std::string message_id;
  /// `track`, `identify`, `page`, `screen`, `group`, `alias`.
  std::string type;
  /// Event name of a track call, the page's name, else the type.
  std::string name;
  time_ms occurred_at;
  time_ms received_at;
  bool timed = false;
  bool test = false;
  trace_id trace;
  std::string customer;
  std::string anonymous_id;
  std::string order_id;
  std::vector<order_line> products;
  /// `revenue`, else `total`, else `value`, in the event's currency; nothing when there is none.
  std::optional<money> amount;
  pulse::payment payment;
  std::string email;
  std::string ip;
  std::string user_agent;
  /// JSON objects as they came (`{}` when absent), after the mapping.
  std::string properties = "{}";
  std::string context = "{}";
  std::vector<note> notes;

  std::string store;
  std::string campaign;
  /// ISO 3166-1 alpha-2, or the name as it was given when it is no known country.
  std::string country;
  std::string region;
  std::string city;
  /// `desktop`, `mobile`, `tablet`, `tv`, `bot`, or empty.
  std::string device;
  std::string browser;
  std::string os;
  bool bot = false;
  std::string referrer;
  std::vector<provenance> origins;

  pulse::risk risk;
  /// Its message id was in the tenant's window of recent ids: counted as a duplicate, touches no state.
  bool duplicate = false;
};

} // namespace pulse
