#include "models/alert/candidate.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "models/rollup/rollup.hpp"

namespace pulse::alert {

namespace {

/// From here on an event.flagged is critical.
constexpr std::int32_t critical_milli = 97'000;

nlohmann::ordered_json reason(const risk_part& part) {
  nlohmann::ordered_json r;
  r["name"] = part.name;
  r["value"] = part.value ? nlohmann::ordered_json(*part.value) : nlohmann::ordered_json(nullptr);
  r["typical"] = part.typical ? nlohmann::ordered_json(*part.typical) : nlohmann::ordered_json(nullptr);
  r["contribution"] = part.points;
  r["detail"] = part.detail;
  return r;
}

std::string summary_of(const event& e) {
  std::string why;
  for (const auto& part : e.risk.parts) {
    if (part.points <= 0 || part.detail.empty())
      continue;
    why += (why.empty() ? "" : "; ") + part.detail;
    if (why.size() > 300)
      break;
  }
  return why.empty() ? "no single reason stands out" : why;
}

} // namespace

uuid alert_id(tenant_id tenant, std::string_view subject, std::string_view kind) {
  uuid id{hash_parts({std::to_string(tenant.value), subject, kind})};
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x80);
  id.bytes[8] = static_cast<std::uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

std::optional<candidate> candidate_of(const event& e) {
  if (e.test || !rollup::is_flagged(e) || e.received_at.value - e.occurred_at.value > stale_after_ms)
    return std::nullopt;
  candidate c;
  c.type = "event.flagged";
  c.alert_id = alert_id(e.tenant, e.id.str(), c.type);
  c.severity = rollup::risk_milli(e.risk.score) >= critical_milli ? "critical" : "warning";
  const auto what = e.order_id.empty() ? e.name : fmt::format("{} {}", e.name, e.order_id);
  c.title = fmt::format("{} has risk {:.0f}", what, e.risk.score);
  c.summary = summary_of(e);
  nlohmann::ordered_json d;
  d["alert_id"] = c.alert_id.str();
  d["tenant"] = std::to_string(e.tenant.value);
  d["incident_id"] = nullptr;
  d["severity"] = c.severity;
  d["title"] = c.title;
  d["summary"] = c.summary;
  d["event_id"] = e.id.str();
  d["message_id"] = e.message_id;
  d["event_name"] = e.name;
  d["order_id"] = e.order_id;
  d["customer"] = e.customer;
  if (e.amount)
    d["amount"] = {{"amount", e.amount->amount()}, {"currency", e.amount->unit.str()}};
  else
    d["amount"] = nullptr;
  d["occurred_at"] = format_time(e.occurred_at);
  d["risk"] = {{"score", e.risk.score},
               {"level", e.risk.level},
               {"outcome", e.risk.outcome},
               {"model", e.risk.model},
               {"degraded", e.risk.degraded}};
  auto reasons = nlohmann::ordered_json::array();
  // What stands among the parts for the record alone (versions, shadow rules) is no reason.
  for (const auto& part : e.risk.parts)
    if (part.points != 0 || part.source == "model")
      reasons.push_back(reason(part));
  d["reasons"] = std::move(reasons);
  // Text from events is repaired at the door; should a byte be no UTF-8 it is replaced, never thrown over.
  c.data = d.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  return c;
}

} // namespace pulse::alert
