#include "http/handlers/query_json.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_text.hpp"
#include "http/middleware/message.hpp"
#include "models/event/event_json.hpp"
#include "models/event/request_parser.hpp"

namespace pulse::http {

namespace {

using object = json_object;

std::string quoted(std::string_view text) {
  std::string out;
  append_json(out, text);
  return out;
}

std::string or_default(const std::string& json, std::string_view other) {
  return json.empty() ? std::string(other) : json;
}

template <class List, class Write>
std::string array(const List& list, const Write& write) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1)
      out.push_back(',');
    out += write(item);
  }
  return out + "]";
}

std::string series_json(const query::metric_answer& a, const query::series& s) {
  object group;
  if (a.question.group_by)
    group.raw(to_string(*a.question.group_by), s.group ? quoted(*s.group) : "null");
  std::string points = "[";
  for (std::size_t i = 0; i < s.points.size(); ++i)
    points += fmt::format(R"({}{{"t":"{}","value":{}}})", i == 0 ? "" : ",", format_time(a.buckets[i]),
                          value_json(s.points[i]));
  object o;
  return std::move(o.raw("group", std::move(group).done()).raw("points", points + "]")).done();
}

std::string risk_json(const stored_event& e, const second_try* again = nullptr) {
  object o;
  o.number("score", static_cast<double>(e.risk_milli) / 1000.0).text("level", e.risk_level);
  o.text("outcome", e.risk_outcome);
  o.raw("anomaly", e.anomaly ? fmt::format("{}", *e.anomaly) : "null");
  o.text_or_null("model", e.model).flag("degraded", e.degraded).raw("parts", or_default(e.parts_json, "[]"));
  if (again != nullptr)
    o.raw("flip", again->flip).flag("recomputed", again->fault.empty()).text_or_null("recompute_fault", again->fault);
  return std::move(o).done();
}

std::string label_json(const event_label& l) {
  object o;
  o.text("label", l.fraud ? "fraud" : "legitimate").text("reason", l.reason);
  return std::move(o.time("at", l.decided_at)).done();
}

/// Whether the bytes are UTF-8 by RFC 3629: else the body goes out as base64.
bool is_utf8(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i]);
    const std::size_t n = c < 0x80                ? 1
                          : c >= 0xc2 && c < 0xe0 ? 2
                          : c >= 0xe0 && c < 0xf0 ? 3
                          : c >= 0xf0 && c < 0xf5 ? 4
                                                  : 0;
    if (n == 0 || i + n > s.size())
      return false;
    for (std::size_t k = 1; k < n; ++k)
      if ((static_cast<unsigned char>(s[i + k]) & 0xc0) != 0x80)
        return false;
    const auto second = n > 1 ? static_cast<unsigned char>(s[i + 1]) : 0;
    // Overlong forms, surrogates, and what is beyond U+10FFFF.
    if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second > 0x9f) || (c == 0xf0 && second < 0x90) ||
        (c == 0xf4 && second > 0x8f))
      return false;
    i += n;
  }
  return true;
}

std::string step(std::string_view stage, time_ms at, const std::string& node, std::string_view decision,
                 const std::string& detail) {
  object o;
  o.text("stage", stage).time("at", at).text_or_null("node", node).text("decision", decision);
  return std::move(o.raw("detail", detail)).done();
}

std::string place_json(slot_id slot, log_offset offset) {
  return fmt::format(R"({{"slot":{},"offset":{}}})", slot.value, offset.value);
}

/// The slot stores a batch in one transaction: what it did before has no time of its own, and takes the transaction's.
void append_stored(const stored_event& e, const second_try& again, std::vector<std::string>& out) {
  const auto& node = e.node;
  const bool warned = !e.warnings_json.empty();
  out.push_back(step("received", e.received_at, "", warned ? "accepted with warnings" : "accepted",
                     fmt::format(R"({{"message_id":{},"trace_id":"{}","warnings":{}}})",
                                 e.message_id.empty() ? "null" : quoted(e.message_id), e.trace.hex(),
                                 or_default(e.warnings_json, "[]"))));
  out.push_back(step("logged", e.received_at, "", "durable", place_json(e.slot, e.offset)));
  out.push_back(step("enriched", e.stored_at, node, "enriched",
                     fmt::format(R"({{"provenance":{}}})", or_default(e.provenance_json, "{}"))));
  out.push_back(step("scored", e.stored_at, node, e.risk_outcome, risk_json(e, &again)));
  out.push_back(step("stored", e.stored_at, node, "stored", fmt::format(R"({{"id":"{}"}})", e.id.str())));
  out.push_back(step("counted", e.stored_at, node, e.test ? "test: not counted" : "counted", "{}"));
}

void append_failed(const failed_event& f, std::vector<std::string>& out) {
  out.push_back(step("received", f.received_at, "", "taken",
                     fmt::format(R"({{"message_id":{}}})", f.message_id.empty() ? "null" : quoted(f.message_id))));
  out.push_back(step("logged", f.received_at, "", "durable", place_json(f.slot, f.offset)));
  object o;
  o.text("id", f.id.str()).text("stage", f.stage).text("code", f.code).text("detail", f.detail);
  out.push_back(step("failed", f.received_at, "", f.code, std::move(o.text("pointer", f.pointer)).done()));
  if (f.replayed_at)
    out.push_back(step("replayed", *f.replayed_at, "", "sent again", "{}"));
}

} // namespace

std::string value_json(const query::value& v) {
  if (const auto* text = std::get_if<std::string>(&v))
    return quoted(*text);
  if (const auto* number = std::get_if<std::int64_t>(&v))
    return fmt::format("{}", *number);
  return fmt::format("{}", std::get<double>(v));
}

std::string metric_list_json() {
  const auto data = array(query::all_metrics(), [](const query::metric_info& m) {
    std::string dims = "[";
    for (std::size_t i = 0; i < query::dimension_count; ++i) {
      const auto d = static_cast<query::dimension>(i);
      if (d != query::dimension::product || m.by_product)
        dims += (dims.size() > 1 ? "," : "") + quoted(to_string(d));
    }
    object o;
    o.text("metric", m.name).text("unit", m.unit).text("description", m.description);
    return std::move(o.raw("group_by", dims + "]")).done();
  });
  return fmt::format(R"({{"data":{},"has_more":false,"next_cursor":null}})", data);
}

std::string metric_json(const query::metric_answer& a) {
  object o;
  o.text("metric", query::info_of(a.question.metric).name).text("unit", a.unit);
  o.text("granularity", to_string(a.question.granularity)).text("timezone", a.question.timezone);
  o.time("from", a.question.from).time("to", a.question.to);
  o.raw("fresh_until", a.fresh_until ? quoted(format_time(*a.fresh_until)) : "null");
  o.text("source", a.from_events ? "events" : "rollup");
  o.raw("series", array(a.series, [&a](const query::series& s) { return series_json(a, s); }));
  o.raw("total", value_json(a.total));
  if (!a.other_currencies.empty())
    o.raw("other_currencies", array(a.other_currencies, money_json));
  return std::move(o).done();
}

std::string event_json(const stored_event& e) {
  object o;
  o.text("id", e.id.str()).text_or_null("message_id", e.message_id).text("type", e.type).text("name", e.name);
  o.time("occurred_at", e.occurred_at).time("received_at", e.received_at);
  o.text_or_null("customer", e.customer).text_or_null("anonymous_id", e.anonymous_id);
  o.text_or_null("store", e.store).text_or_null("campaign", e.campaign);
  o.raw("products", or_default(e.products_json, "[]")).text_or_null("order_id", e.order_id);
  o.raw("amount", e.amount ? money_json(*e.amount) : "null");
  o.text_or_null("country", e.country).text_or_null("region", e.region).text_or_null("city", e.city);
  o.text_or_null("device", e.device).text_or_null("browser", e.browser).text_or_null("os", e.os);
  o.flag("bot", e.bot).text_or_null("referrer", e.referrer).raw("risk", risk_json(e));
  o.raw("properties", e.properties_json).raw("context", e.context_json);
  o.raw("provenance", or_default(e.provenance_json, "{}")).raw("warnings", or_default(e.warnings_json, "[]"));
  o.raw("label", e.label ? label_json(*e.label) : "null");
  return std::move(o).done();
}

std::string failed_json(const failed_event& f) {
  const bool readable = is_utf8(f.body);
  object o;
  o.text("id", f.id.str()).time("received_at", f.received_at).text("stage", f.stage).text("code", f.code);
  o.text("detail", f.detail).text("pointer", f.pointer).text_or_null("message_id", f.message_id);
  o.text("encoding", readable ? "text" : "base64").text("body", readable ? f.body : to_base64(f.body));
  o.raw("replayed_at", f.replayed_at ? quoted(format_time(*f.replayed_at)) : "null");
  return std::move(o).done();
}

std::string trail_json(const std::string& id, const event_trail& t, const second_try& again) {
  std::vector<std::string> steps;
  for (const auto& f : t.failed)
    append_failed(f, steps);
  if (t.stored)
    append_stored(*t.stored, again, steps);
  if (t.alert) {
    object o;
    o.text("alert_id", t.alert->id.str()).text("type", t.alert->type).text("severity", t.alert->severity);
    steps.push_back(step("alert", t.alert->created_at, t.stored ? t.stored->node : "", t.alert->state,
                         std::move(o.text("title", t.alert->title)).done()));
  }
  for (const auto& d : t.deliveries) {
    const bool good = d.status && *d.status >= 200 && *d.status < 300;
    object o;
    o.text("endpoint_id", d.endpoint.str()).number("attempt", d.attempt);
    o.raw("status", d.status ? fmt::format("{}", *d.status) : "null").text_or_null("error", d.error);
    steps.push_back(
        step("delivery", d.at, "", good ? "delivered" : "failed", std::move(o.number("seconds", d.seconds)).done()));
  }
  if (t.stored && t.stored->label)
    steps.push_back(step("labelled", t.stored->label->labelled_at, "", t.stored->label->fraud ? "fraud" : "legitimate",
                         label_json(*t.stored->label)));
  object o;
  return std::move(o.text("id", id).raw("steps", array(steps, [](const auto& s) { return s; }))).done();
}

std::string limits_json(const tenant_use& u) {
  const route body;
  const request_limits events;
  object use;
  use.number("received", u.raw).number("stored", u.stored).number("duplicates", u.duplicates);
  object o;
  o.number("rate", u.rate).number("burst", u.burst);
  o.number("body_bytes_max", body.body_bytes_max).number("inflated_bytes_max", body.inflated_bytes_max);
  o.number("batch_events_max", events.events_max).number("event_bytes_max", events.event_bytes_max);
  o.number("order_event_bytes_max", events.order_bytes_max);
  return std::move(o.raw("use", std::move(use.number("failed", u.failed)).done())).done();
}

} // namespace pulse::http
