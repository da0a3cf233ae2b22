#include "node/cli/backtest_events.hpp"

#include <fmt/format.h>

#include "models/event/event_json.hpp"
#include "models/event/request_parser.hpp"
#include "models/event/standardise.hpp"

namespace pulse::cli {

namespace {

/// Empty where there is none, or null.
std::string text_in(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::string json_in(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_object() ? it->dump() : std::string("{}");
}

risk risk_of(const json& j) {
  risk out;
  out.score = j.value("score", 0.0);
  out.level = text_in(j, "level");
  out.outcome = text_in(j, "outcome");
  if (const auto it = j.find("anomaly"); it != j.end() && it->is_number())
    out.anomaly = it->get<double>();
  out.model = text_in(j, "model");
  out.degraded = j.value("degraded", false);
  if (const auto it = j.find("parts"); it != j.end())
    out.parts = read_parts(it->dump());
  return out;
}

} // namespace

result<event> event_of_line(std::string line, random_source& ids, time_ms now) {
  request_context context;
  context.tenant = tenant_id{1};
  context.received_at = now;
  context.horizon = time_ms{0};
  context.random = &ids;
  const auto parsed = parse_request(line, request_shape::events, context);
  if (!parsed)
    return parsed.err();
  if (parsed->events.size() != 1)
    return error{ec::malformed, "one event a line is wanted", ""};
  const auto& one = parsed->events[0];
  if (one.raw.kind != raw_kind::event)
    return error{ec::invalid, fmt::format("{}: {}", one.verdict.code, one.verdict.detail), one.verdict.pointer};
  auto e = to_event(one.raw, tenant_id{1});
  if (!e)
    return e.err();
  // A file is read long after: its events were received when they happened.
  e->received_at = e->occurred_at;
  return std::move(*e);
}

event event_of_answer(const json& stored) {
  event e;
  if (const auto id = uuid::parse(text_in(stored, "id")))
    e.id = event_id{*id};
  e.occurred_at = parse_time(text_in(stored, "occurred_at")).value_or(time_ms{});
  e.received_at = parse_time(text_in(stored, "received_at")).value_or(e.occurred_at);
  const std::pair<const char*, std::string*> texts[] = {{"message_id", &e.message_id},
                                                        {"type", &e.type},
                                                        {"name", &e.name},
                                                        {"customer", &e.customer},
                                                        {"store", &e.store},
                                                        {"campaign", &e.campaign},
                                                        {"country", &e.country},
                                                        {"region", &e.region},
                                                        {"city", &e.city},
                                                        {"device", &e.device},
                                                        {"browser", &e.browser},
                                                        {"os", &e.os},
                                                        {"referrer", &e.referrer},
                                                        {"anonymous_id", &e.anonymous_id}};
  for (const auto& [name, into] : texts)
    *into = text_in(stored, name);
  e.bot = stored.value("bot", false);
  e.properties = json_in(stored, "properties");
  e.context = json_in(stored, "context");
  currency unit;
  if (const auto it = stored.find("amount"); it != stored.end() && it->is_object())
    unit = parse_currency(text_in(*it, "currency")).value_or(currency{});
  read_again(e, unit);
  if (const auto it = stored.find("risk"); it != stored.end() && it->is_object())
    e.risk = risk_of(*it);
  return e;
}

std::optional<bool> label_of_answer(const json& stored) {
  const auto it = stored.find("label");
  if (it == stored.end() || !it->is_object())
    return std::nullopt;
  return text_in(*it, "label") == "fraud";
}

} // namespace pulse::cli
