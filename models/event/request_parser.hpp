// From the body of a request to records for the raw log with a verdict each. Pure: time, randomness and limits come
// in. Called by the ingestion actor; the next step is `encode` and the log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "models/event/event.hpp"
#include "models/event/json_index.hpp"

namespace pulse {

/// What the route says about the body.
enum class request_shape : std::uint8_t {
  /// /v1/events: one object, an array, or NDJSON.
  events,
  /// /v1/batch, /v1/b: `{"batch":[…]}`.
  batch,
  /// One event whose type the route implies.
  track,
  identify,
  page,
  screen,
  group,
  alias,
};

/// By the last segment of a route: `events`, `batch`, `b`, `track`, `t` ...; nothing for another word.
std::optional<request_shape> shape_of_route(std::string_view word);

struct request_limits {
  std::size_t events_max = 2500;
  std::size_t event_bytes_max = 32 * 1024;
  /// For names that begin with `Order `.
  std::size_t order_bytes_max = 256 * 1024;
  /// What is kept of a refused event.
  std::size_t refused_bytes_max = 32 * 1024;
  /// A batch's context goes into each of its records, so it is small.
  std::size_t batch_context_bytes_max = 8 * 1024;
  std::size_t message_id_bytes_max = 512;
  json_limits json;
};

struct request_context {
  tenant_id tenant;
  time_ms received_at;
  /// Older times do not make an id; see resolve_time.
  time_ms horizon;
  /// A pe_test_ key.
  bool test = false;
  /// A publishable key: only then is `client_ip` kept.
  bool publishable = false;
  std::string client_ip;
  /// The key, or its public front part; a `writeKey` in the body that does not begin so is refused. Empty: not
  /// compared.
  std::string key;
  trace_id trace;
  std::string idempotency_key;
  /// Not null; for the ids of events that bring none.
  random_source* random = nullptr;
  request_limits limits;
};

enum class verdict_result : std::uint8_t { ok, warning, rejected };

std::string_view to_string(verdict_result r);

/// The answer's line about one event. `code`, `detail` and `pointer` are those of the first note.
struct verdict {
  std::size_t index = 0;
  event_id id;
  std::string message_id;
  verdict_result result = verdict_result::ok;
  std::string code;
  std::string detail;
  std::string pointer;
};

struct parsed_event {
  /// Of kind `event` or `refused`.
  raw_event raw;
  pulse::verdict verdict;
  /// Whom it is about, for the record's key: the customer, else the anonymous id; empty for a refused one.
  std::string entity;
};

struct parsed_request {
  std::vector<parsed_event> events;
  std::optional<time_ms> sent_at;
  /// The body was one object, not a list of them: a refusal is answered 422.
  bool single = false;
};

/// Takes a body apart. The body is repaired in place, and a writeKey in it blanked.
/// Errors: `malformed` (no JSON as a whole), `too_large` (too many events), `unauthorized` (writeKey).
result<parsed_request> parse_request(std::string& body, request_shape shape, const request_context& context);

/// The `writeKey` in a body, for a browser that can send no header; empty for none.
std::string find_write_key(std::string_view body);

} // namespace pulse
