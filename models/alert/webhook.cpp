#include "models/alert/webhook.hpp"

#include <array>
#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"

namespace pulse::alert {

namespace {

constexpr std::string_view prefix = "whsec_";
constexpr std::string_view version = "v1,";

std::string signature_of(const webhook_secret& secret, std::string_view id, std::string_view timestamp,
                         std::string_view body) {
  std::string text;
  text.reserve(id.size() + timestamp.size() + body.size() + 2);
  text.append(id).append(".").append(timestamp).append(".").append(body);
  const auto mac = hmac_sha256(secret.bytes(), text);
  return std::string(version) + to_base64({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

} // namespace

result<webhook_secret> webhook_secret::parse(std::string_view text) {
  const auto bad = error{ec::invalid, "a webhook secret is whsec_ and base64 of 24 to 64 bytes", "secret"};
  if (!text.starts_with(prefix))
    return bad;
  auto bytes = from_base64(text.substr(prefix.size()));
  if (!bytes || bytes->size() < 24 || bytes->size() > 64)
    return bad;
  return webhook_secret(std::move(*bytes));
}

webhook_secret webhook_secret::make(random_source& random) {
  std::array<std::uint8_t, 32> bytes{};
  random.fill(bytes);
  return webhook_secret(std::string(bytes.begin(), bytes.end()));
}

std::string webhook_secret::str() const {
  return std::string(prefix) + to_base64(bytes_);
}

std::string sign(std::span<const webhook_secret> secrets, std::string_view id, std::int64_t timestamp_s,
                 std::string_view body) {
  std::string out;
  for (const auto& secret : secrets)
    out += (out.empty() ? "" : " ") + signature_of(secret, id, std::to_string(timestamp_s), body);
  return out;
}

bool verify(const webhook_secret& secret, std::string_view id, std::string_view timestamp, std::string_view signatures,
            std::string_view body, std::int64_t now_s, std::int64_t tolerance_s) {
  std::int64_t at = 0;
  const auto [end, e] = std::from_chars(timestamp.data(), timestamp.data() + timestamp.size(), at);
  if (e != std::errc{} || end != timestamp.data() + timestamp.size() || std::abs(now_s - at) > tolerance_s)
    return false;
  const auto wanted = signature_of(secret, id, timestamp, body);
  bool fits = false;
  while (!signatures.empty()) {
    const auto blank = signatures.find(' ');
    fits = equal_constant_time(signatures.substr(0, blank), wanted) || fits;
    signatures.remove_prefix(blank == std::string_view::npos ? signatures.size() : blank + 1);
  }
  return fits;
}

std::string webhook_id(const uuid& alert_id) {
  return "msg_" + alert_id.str();
}

result<webhook_message> build_webhook(const outgoing_alert& alert, std::span<const webhook_secret> secrets,
                                      time_ms now) {
  auto data = nlohmann::ordered_json::parse(alert.data, nullptr, false);
  if (!data.is_object())
    return error{ec::malformed, "the alert's data is no JSON object", ""};
  data["alert_id"] = alert.alert_id.str();
  if (!alert.incident_id.empty())
    data["incident_id"] = alert.incident_id;
  if (!alert.url.empty())
    data["url"] = alert.url;
  nlohmann::ordered_json body;
  body["type"] = alert.type;
  body["timestamp"] = format_time(alert.created_at);
  body["data"] = std::move(data);
  webhook_message out;
  out.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  const auto timestamp_s = now.value / second_ms;
  const auto id = webhook_id(alert.alert_id);
  out.headers = {{"Content-Type", "application/json"},
                 {"User-Agent", "PulseEcom-Webhooks/1.0"},
                 {"webhook-id", id},
                 {"webhook-timestamp", std::to_string(timestamp_s)},
                 {"webhook-signature", sign(secrets, id, timestamp_s, out.body)}};
  if (alert.replay)
    out.headers.emplace_back("webhook-replay", "true");
  if (!alert.traceparent.empty())
    out.headers.emplace_back("traceparent", alert.traceparent);
  return out;
}

} // namespace pulse::alert
