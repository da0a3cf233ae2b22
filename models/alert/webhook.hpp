// A webhook's message: body, id, signature (Standard Webhooks 1.0, standardwebhooks.com). Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace pulse::alert {

/// Shared secret of an endpoint: `whsec_` and base64 of 24 to 64 bytes.
class webhook_secret {
public:
  /// `invalid` for another prefix, no base64, or another length.
  static result<webhook_secret> parse(std::string_view text);
  /// 32 bytes of chance.
  static webhook_secret make(random_source& random);

  std::string str() const;

  std::string_view bytes() const {
    return bytes_;
  }

private:
  explicit webhook_secret(std::string bytes) : bytes_(std::move(bytes)) {
  }

  std::string bytes_;
};

/// `v1,` + base64 of HMAC-SHA256 over `id.timestamp.body`, one for each secret, parted by blanks: while a secret is
/// being rotated both sign. `timestamp_s` is seconds since 1970.
std::string sign(std::span<const webhook_secret> secrets, std::string_view id, std::int64_t timestamp_s,
                 std::string_view body);

/// What a receiver does: one of the signatures fits (constant time), and the timestamp is within `tolerance_s` of now.
bool verify(const webhook_secret& secret, std::string_view id, std::string_view timestamp, std::string_view signatures,
            std::string_view body, std::int64_t now_s, std::int64_t tolerance_s = 300);

/// An alert as it is stored, on its way to one endpoint.
struct outgoing_alert {
  uuid alert_id;
  /// `event.flagged`, `endpoint.test` ...
  std::string type;
  time_ms created_at;
  /// The stored `data` object (JSON).
  std::string data;
  /// Added to `data` where not empty: what only delivery knows.
  std::string incident_id;
  std::string url;
  /// W3C traceparent of the event; empty for none.
  std::string traceparent;
  bool replay = false;
};

struct webhook_message {
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// `msg_` and the alert's id: one alert has one, whatever it is sent for and however often.
std::string webhook_id(const uuid& alert_id);

/// The same body on every attempt; timestamp and signature are those of this attempt. `malformed` when `data` is no
/// JSON object.
result<webhook_message> build_webhook(const outgoing_alert& alert, std::span<const webhook_secret> secrets,
                                      time_ms now);

} // namespace pulse::alert
