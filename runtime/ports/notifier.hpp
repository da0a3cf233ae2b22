// Port: posts something to an address that a tenant chose. Adapter: delivery/webhook_sender; fake: tests/support.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/net.hpp"

namespace pulse {

struct http_post {
  /// http or https.
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  /// Posts of one lane share a small number of connections, so that a dead receiver holds up itself alone: the
  /// endpoint's id.
  std::string lane;
  /// Ranges that may be reached besides the public internet.
  std::vector<cidr> allow;
  /// In all, from the start of the attempt.
  std::int64_t timeout_ms = 15'000;
  std::int64_t connect_timeout_ms = 5'000;
};

struct http_reply {
  int status = 0;
  /// The first 4 KB of the body, for the log of attempts.
  std::string body_head;
  std::optional<std::int64_t> retry_after_s;
  double seconds = 0;
};

class notifier {
public:
  using done = std::function<void(result<http_reply>)>;

  virtual ~notifier() = default;

  /// Never blocks. `d` is called exactly once, on a thread of the notifier, and must not block. Any HTTP answer is a
  /// value, whatever its status. Errors: `invalid` (URL), `forbidden` (the name leads to an address that is private or
  /// otherwise closed), `unavailable` (no connection, TLS, queue full, shutting down), `timeout`.
  virtual void send(http_post post, done d) = 0;
};

} // namespace pulse
