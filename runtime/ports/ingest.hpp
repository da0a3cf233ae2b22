// Port: the way of a request's events from the gateway's handlers to the tenant's ingestion, and of the verdicts back.
// Implemented by the node: it hands the request to the node_agent.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "models/event/request_parser.hpp"
#include "models/quota/token_bucket.hpp"

namespace pulse {

/// How a request for ingestion was answered; `failed` excludes verdicts.
struct ingest_reply {
  struct line {
    verdict said;
    /// Seen lately under the same id: best effort, the stored result is exact.
    bool duplicate = false;
  };

  std::vector<line> lines;
  bool single = false;
  std::optional<error> failed;
  std::int64_t retry_after_ms = 0;
  /// The tenant's bucket and what it said to this request; nothing where it was not asked.
  std::optional<std::pair<bucket_limits, take_result>> rate;
};

/// A request on its way to the tenant's ingestion child. Dropped without an answer, its `done` says so itself.
struct ingest_request {
  tenant_id tenant;
  std::string body;
  request_shape shape = request_shape::events;
  /// Instead of the body: events that were taken apart already, of a source.
  std::optional<parsed_request> parsed;
  bool test = false;
  bool publishable = false;
  std::string client_ip;
  std::string key;
  trace_id trace;
  std::string traceparent;
  std::string idempotency_key;
  /// Answer before the log says durable.
  bool queued = false;
  std::function<void(ingest_reply)> done;
};

/// Answers that nothing was taken, and to come again in a second.
inline void refuse(ingest_request& request, std::string why) {
  ingest_reply reply;
  reply.failed = error{ec::unavailable, std::move(why), ""};
  reply.retry_after_ms = 1000;
  if (request.done)
    request.done(std::move(reply));
}

using ingest_ptr = std::shared_ptr<ingest_request>;

/// Hands a request over; never blocks. `done` of the request is called once, on any thread.
using ingest_port = std::function<void(ingest_ptr)>;

} // namespace pulse
