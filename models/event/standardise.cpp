#include "models/event/standardise.hpp"

#include "models/event/json_index.hpp"
#include "models/event/payment_fields.hpp"
#include "models/event/standard_fields.hpp"

namespace pulse {

namespace {

/// The batch's context is checked at the door, and limits are the door's as well; here only safety counts.
constexpr json_limits read_limits{64, 1024};

void append_field(std::string& out, const json_node& node) {
  if (out.size() > 1)
    out.push_back(',');
  append_json_string(out, node.key);
  out.push_back(':');
  out.append(node.raw);
}

/// The event's own fields count; the batch's fill the gaps.
std::string merge_context(const json_index& index, const json_node* own, const std::string& batch) {
  if (batch.empty())
    return own == nullptr ? "{}" : std::string(own->raw);
  if (own == nullptr || own->size == 0)
    return batch;
  thread_local json_index under;
  if (under.parse_in_place(batch, read_limits) != json_fault::none)
    return std::string(own->raw);
  std::string out = "{";
  for (auto node = index.first(own); node != nullptr; node = index.next(node))
    append_field(out, *node);
  for (auto node = under.first(under.root()); node != nullptr; node = under.next(node))
    if (index.find(own, node->key) == nullptr)
      append_field(out, *node);
  out.push_back('}');
  return out;
}

void read_order(const json_index& index, const json_node* properties, currency fallback, event& out) {
  if (out.type != "track")
    return;
  commerce_fields commerce;
  read_commerce(index, properties, out.name, fallback, commerce, note_sink(nullptr));
  out.order_id = std::move(commerce.order_id);
  out.products = std::move(commerce.products);
  out.amount = commerce.amount;
}

std::string text_of(const json_node* node) {
  return has_text(node) ? std::string(node->text) : std::string{};
}

/// The first of traits, context.traits, properties that has an e-mail.
std::string find_email(const json_index& index, const standard_fields& fields) {
  for (auto place : {fields.traits, index.find(fields.context, "traits"), fields.properties})
    if (const auto email = index.find(place, "email"); has_text(email))
      return std::string(email->text);
  return {};
}

void read_addresses(const json_index& context, event& out) {
  out.ip = text_of(context.find(context.root(), "ip"));
  out.user_agent = text_of(context.find(context.root(), "userAgent"));
}

} // namespace

result<event> to_event(const raw_event& raw, tenant_id tenant, currency fallback) {
  thread_local json_index index;
  if (index.parse_in_place(raw.body, read_limits) != json_fault::none)
    return error{ec::malformed, "the event's body can't be read: " + index.fault_detail(), index.fault_pointer()};
  const note_sink noted_at_the_door(nullptr);
  const auto fields = read_standard_fields(index, raw.type, noted_at_the_door);
  event out;
  out.tenant = tenant;
  out.id = raw.id;
  out.message_id = raw.message_id;
  out.type = fields.type;
  out.name = fields.name;
  out.occurred_at = raw.occurred_at;
  out.received_at = raw.received_at;
  out.timed = raw.timed;
  out.test = raw.test;
  out.trace = raw.trace;
  out.customer = fields.user_id;
  out.anonymous_id = fields.anonymous_id;
  out.notes = raw.notes;
  read_order(index, fields.properties, fallback, out);
  out.email = find_email(index, fields);
  const bool by_traits = fields.type == "identify" || fields.type == "group";
  if (const auto properties = by_traits ? fields.traits : fields.properties; properties != nullptr)
    out.properties = properties->raw;
  out.context = merge_context(index, fields.context, raw.batch_context);
  thread_local json_index context;
  if (context.parse_in_place(out.context, read_limits) == json_fault::none)
    read_addresses(context, out);
  if (fields.type == "track")
    out.payment = read_payment(index, fields.properties, context, out.name);
  return out;
}

void read_again(event& e, currency fallback) {
  thread_local json_index properties;
  thread_local json_index context;
  if (properties.parse_in_place(e.properties, read_limits) != json_fault::none ||
      context.parse_in_place(e.context, read_limits) != json_fault::none)
    return;
  read_order(properties, properties.root(), fallback, e);
  read_addresses(context, e);
  e.payment = e.type == "track" ? read_payment(properties, properties.root(), context, e.name) : payment{};
  const auto own = properties.at({"email"});
  e.email = has_text(own) ? std::string(own->text) : text_of(context.at({"traits", "email"}));
}

} // namespace pulse
