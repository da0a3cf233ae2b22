// What a handler gets and gives: request, response, responder, route. The same for the public gateway (server/) and
// the admin listener (admin/). Nothing here knows a socket.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "ports/key_directory.hpp"

namespace pulse::http {

/// Header fields in the order they came. Names compare without case.
class header_list {
public:
  void add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
  }

  /// Replaces every field of that name.
  void set(std::string_view name, std::string value);

  /// The first value; empty when there is none.
  std::string_view find(std::string_view name) const;
  bool has(std::string_view name) const;
  std::size_t count(std::string_view name) const;

  const std::vector<std::pair<std::string, std::string>>& fields() const {
    return fields_;
  }

private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

bool equal_no_case(std::string_view a, std::string_view b);

/// Who sent a request, as the key says. `key_id` 0: no key (keyless routes), or the admin token.
struct principal {
  std::int64_t key_id = 0;
  tenant_id tenant;
  scope_set scopes;
  bool test = false;
  /// Public part of the key (`pe_live_` + 12 characters): to compare with a body's `writeKey`, and for logs.
  std::string key_name;
};

using name_values = std::vector<std::pair<std::string, std::string>>;

struct request {
  /// Upper case. HEAD comes to the handlers of GET as `HEAD`; the body of their answer is not sent.
  std::string method;
  /// Percent-decoded, without the query.
  std::string path;
  /// Decoded, in order, repeated names kept.
  name_values query;
  header_list headers;
  /// After Content-Encoding was undone.
  std::string body;
  /// Size of the body as it came.
  std::size_t wire_bytes = 0;
  /// The client's address; behind a trusted proxy what that one forwarded.
  std::string remote_ip;
  std::string request_id;
  trace_id trace;
  std::string traceparent;
  principal who;
  /// Parameters of the route's pattern, decoded.
  name_values params;

  /// The first value of a query parameter; nothing when it is absent.
  std::optional<std::string_view> query_value(std::string_view name) const;
  /// A parameter of the pattern; it is always there in that pattern's handler.
  std::string_view param(std::string_view name) const;
};

/// A place in the request's body and what is wrong there.
struct problem_item {
  std::string pointer;
  std::string code;
  std::string detail;
};

/// RFC 9457; `type`, `instance` and `request_id` are added where the answer is written.
struct problem_details {
  int status = 500;
  std::string code;
  std::string title;
  std::string detail;
  std::vector<problem_item> errors;
};

/// Rendered as `RateLimit`, `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10) and `X-RateLimit-*`.
struct rate_state {
  /// What may be sent in one window of `window_s` seconds.
  std::int64_t quota = 0;
  std::int64_t window_s = 1;
  std::int64_t remaining = 0;
  /// Seconds until all of it is there again.
  std::int64_t reset_s = 0;
};

struct response {
  int status = 200;
  /// Empty when there is no body.
  std::string content_type;
  header_list headers;
  std::string body;
  std::optional<problem_details> problem_body;
  std::optional<rate_state> rate;
  /// Retry-After in seconds; 429 and 503 get 1 when it is not set.
  std::optional<std::int64_t> retry_after_s;

  /// `body` is a JSON document.
  static response json(int status, std::string body);
  static response text(int status, std::string body);
  static response empty(int status);
  /// Status, code and title follow from the error's code (base/error.hpp).
  static response problem(const error& e);
  static response problem(int status, std::string code, std::string detail);
};

/// Answers a request: from any thread, once (later calls are ignored). Dropped unanswered it answers 500.
using responder = std::function<void(response)>;

/// A responder over `give`, which is then called exactly once: with the first answer, or with a 500 when the last
/// copy goes unanswered. `give` is called on the thread where that happens.
responder answer_once(std::function<void(response)> give);

struct route {
  std::string method;
  /// `/v1/events/{id}/trail`: a parameter is one whole segment.
  std::string pattern;
  scope needed = scope::admin;
  /// No key is asked for.
  bool keyless = false;
  /// A publishable key is taken as well as one with `needed`.
  bool publishable = false;
  /// Browsers of other sites may call it: preflight and Access-Control headers.
  bool cors = false;
  std::size_t body_bytes_max = 4U << 20;
  std::size_t inflated_bytes_max = 16U << 20;
  /// Taken besides an absent one, parameters (`; charset=`) aside; empty: any.
  std::vector<std::string> content_types;
  /// `Content-Encoding: zstd` is taken besides gzip.
  bool zstd = false;
  /// Reads a key out of the body where the headers bring none (Segment's `writeKey`); may be empty.
  std::function<std::string(const request&)> key_from_body;
  /// Called on an I/O thread: must not block. An exception becomes a 500.
  std::function<void(request, responder)> handle;
};

/// What is told of every answer, for metrics and logs. Called on an I/O thread: must not block.
struct request_info {
  std::string method;
  /// The route's pattern; empty where no route was found or the request could not be read.
  std::string route;
  int status = 0;
  /// From the first byte of the request to the last of the answer.
  double seconds = 0;
  std::size_t bytes_in = 0;
  std::size_t bytes_out = 0;
  std::optional<tenant_id> tenant;
  std::string request_id;
  trace_id trace;
  /// The problem's code; empty for a good answer.
  std::string code;
};

using request_observer = std::function<void(const request_info&)>;

/// `Not Found` for 404; RFC 9110's phrases.
std::string_view reason_phrase(int status);

/// Turns `problem_body` into the body, and adds what every answer has: X-Request-Id, traceparent, Retry-After, rate
/// headers, Content-Type. `instance` is the request's path.
void finish_response(response& answer, std::string_view instance, std::string_view request_id,
                     std::string_view traceparent);

} // namespace pulse::http
