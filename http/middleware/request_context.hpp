// What goes with every request: its id, its trace, its client's address. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/net.hpp"
#include "base/time.hpp"
#include "http/middleware/message.hpp"

namespace pulse::http {

/// The client's id when it is sane (1 to 128 of letters, digits, `._:-`), else a new UUID.
std::string take_request_id(std::string_view given, random_source& random);

struct trace_context {
  trace_id trace;
  std::string traceparent;
};

/// W3C trace context: what the client sent, or a new, sampled one when it is absent or bad.
trace_context take_traceparent(std::string_view given, random_source& random);

/// The client's address: `peer`, or, when the peer is a trusted proxy, the rightmost untrusted address of
/// X-Forwarded-For. Rightmost, because everything further left can be invented by the client.
std::string client_address(const ip_address& peer, const header_list& headers, std::span<const cidr> trusted);

/// False when the content type (parameters aside) is none of those; an absent one always passes.
bool content_type_taken(std::string_view content_type, std::span<const std::string> allowed);

} // namespace pulse::http
