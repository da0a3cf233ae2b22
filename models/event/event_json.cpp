#include "models/event/event_json.hpp"

#include <nlohmann/json.hpp>

#include "base/json_text.hpp"

namespace pulse {

namespace {

void append_number(std::string& out, double v) {
  fmt::format_to(std::back_inserter(out), "{}", v);
}

} // namespace

std::string products_json(const std::vector<order_line>& lines) {
  std::string out = "[";
  for (const auto& line : lines) {
    if (out.size() > 1)
      out.push_back(',');
    out.push_back('{');
    const auto field = [&out](std::string_view name, std::string_view text) {
      if (text.empty())
        return;
      append_json_name(out, name);
      append_json(out, text);
    };
    field("product_id", line.product_id);
    field("name", line.name);
    field("category", line.category);
    append_json_name(out, "price");
    append_json(out, line.price.str());
    append_json_name(out, "quantity");
    append_json(out, line.quantity.str());
    out.push_back('}');
  }
  return out + "]";
}

std::string parts_json(const std::vector<risk_part>& parts) {
  std::string out = "[";
  for (const auto& part : parts) {
    if (out.size() > 1)
      out.push_back(',');
    out.push_back('{');
    append_json_name(out, "source");
    append_json(out, part.source);
    append_json_name(out, "name");
    append_json(out, part.name);
    append_json_name(out, "points");
    append_number(out, part.points);
    append_json_name(out, "detail");
    append_json(out, part.detail);
    if (part.value) {
      append_json_name(out, "value");
      append_number(out, *part.value);
    }
    if (part.typical) {
      append_json_name(out, "typical");
      append_number(out, *part.typical);
    }
    out.push_back('}');
  }
  return out + "]";
}

std::vector<risk_part> read_parts(std::string_view json) {
  std::vector<risk_part> out;
  const auto list = nlohmann::json::parse(json, nullptr, false);
  if (!list.is_array())
    return out;
  const auto number = [](const nlohmann::json& p, const char* name) -> std::optional<double> {
    const auto at = p.find(name);
    return at == p.end() || !at->is_number() ? std::nullopt : std::optional(at->get<double>());
  };
  for (const auto& p : list) {
    if (!p.is_object())
      return {};
    out.push_back({p.value("source", ""), p.value("name", ""), p.value("points", 0.0), p.value("detail", ""),
                   number(p, "value"), number(p, "typical")});
  }
  return out;
}

std::string origins_json(const std::vector<provenance>& origins) {
  std::string out = "{";
  for (const auto& o : origins) {
    append_json_name(out, o.field);
    append_json(out, o.rule);
  }
  return out + "}";
}

std::string notes_json(const std::vector<note>& notes) {
  std::string out = "[";
  for (const auto& n : notes) {
    if (out.size() > 1)
      out.push_back(',');
    out.push_back('{');
    append_json_name(out, "code");
    append_json(out, n.code);
    append_json_name(out, "pointer");
    append_json(out, n.pointer);
    append_json_name(out, "detail");
    append_json(out, n.detail);
    out.push_back('}');
  }
  return out + "]";
}

std::string money_json(const money& m) {
  json_object o;
  return std::move(o.text("amount", m.amount()).text_or_null("currency", m.unit.str())).done();
}

namespace {

std::string risk_json(const risk& r) {
  json_object o;
  o.number("score", r.score).text("level", r.level).text("outcome", r.outcome);
  o.raw("anomaly", r.anomaly ? fmt::format("{}", *r.anomaly) : "null").text_or_null("model", r.model);
  return std::move(o.flag("degraded", r.degraded).raw("parts", parts_json(r.parts))).done();
}

void append_identity(json_object& o, const event& e) {
  o.text("id", e.id.str()).text_or_null("message_id", e.message_id).text("type", e.type).text("name", e.name);
}

std::string finished(json_object o, const event& e, bool with_risk) {
  o.time("occurred_at", e.occurred_at).time("received_at", e.received_at);
  o.text_or_null("customer", e.customer).text_or_null("anonymous_id", e.anonymous_id);
  o.text_or_null("store", e.store).text_or_null("campaign", e.campaign);
  o.raw("products", products_json(e.products)).text_or_null("order_id", e.order_id);
  o.raw("amount", e.amount ? money_json(*e.amount) : "null");
  o.text_or_null("country", e.country).text_or_null("region", e.region).text_or_null("city", e.city);
  o.text_or_null("device", e.device).text_or_null("browser", e.browser).text_or_null("os", e.os);
  o.flag("bot", e.bot).text_or_null("referrer", e.referrer);
  if (with_risk)
    o.raw("risk", risk_json(e.risk));
  o.raw("properties", e.properties).raw("context", e.context);
  return std::move(o.raw("provenance", origins_json(e.origins)).raw("warnings", notes_json(e.notes))).done();
}

} // namespace

std::string event_json(const event& e, bool with_risk) {
  json_object o;
  o.number("tenant", e.tenant.value);
  append_identity(o, e);
  o.flag("test", e.test);
  return finished(std::move(o), e, with_risk);
}

std::string scored_event_json(const event& e) {
  json_object o;
  append_identity(o, e);
  return finished(std::move(o), e, true);
}

} // namespace pulse
