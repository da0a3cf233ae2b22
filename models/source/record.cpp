#include "models/source/record.hpp"

#include <fmt/format.h>

#include "models/event/event_identity.hpp"

namespace pulse::source {

namespace {

std::string place_of(const record& r, const origin& from) {
  return fmt::format("topic {}, partition {}, offset {}", from.topic, r.partition, r.offset);
}

parsed_event refused(const record& r, const request_context& context, const error& why, const char* code) {
  parsed_event out;
  out.raw.kind = raw_kind::refused;
  out.raw.received_at = out.raw.occurred_at = context.received_at;
  out.raw.trace = context.trace;
  out.raw.id = make_random_event_id(context.received_at, *context.random);
  out.raw.body = r.value.substr(0, context.limits.refused_bytes_max);
  out.raw.notes.push_back({code, why.pointer, why.detail});
  return out;
}

/// The last field of a name counts, so one that is there as null is overruled.
void add_member(std::string& event, std::string_view name, std::string_view value) {
  const auto end = event.rfind('}');
  const auto last = event.find_last_not_of(" \t\r\n", end - 1);
  std::string text = event[last] == '{' ? "" : ",";
  append_json_string(text, name);
  text += ':';
  append_json_string(text, value);
  event.insert(end, text);
}

bool has_id(const json_node* node) {
  return node != nullptr && (has_text(node) || node->kind == json_kind::number);
}

/// What makes a repeated read the same event.
void complete(std::string& event, const record& r, const origin& from, const json_index& index) {
  const auto* root = index.root();
  const bool named = has_id(index.find(root, "messageId"));
  const auto* time = index.find(root, "timestamp");
  const auto* original = index.find(root, "originalTimestamp");
  const auto is_given = [](const json_node* node) {
    return node != nullptr && node->kind != json_kind::null;
  };
  const bool dated = is_given(time) || is_given(original);
  if (!named)
    add_member(event, "messageId", fmt::format("kafka:{}:{}:{}", from.topic_id, r.partition, r.offset));
  if (!dated && r.time_ms > 0)
    add_member(event, "timestamp", format_time(time_ms{r.time_ms}));
}

parsed_event parsed(const record& r, const origin& from, const record_mapping& mapping,
                    const request_context& context) {
  json_index index;
  if (r.value.empty())
    return refused(r, context, {ec::malformed, "a record without a value is no event", ""}, "empty_record");
  if (index.parse(r.value, context.limits.json) != json_fault::none)
    return refused(r, context, {ec::malformed, "no JSON object: " + index.fault_detail(), index.fault_pointer()},
                   "not_json");
  std::string event = r.value;
  if (!mapping.is_empty()) {
    auto mapped = mapping.apply(index);
    if (!mapped)
      return refused(r, context, mapped.err(), "not_mapped");
    event = std::move(*mapped);
    if (index.parse(event, context.limits.json) != json_fault::none)
      return refused(r, context, {ec::malformed, "the mapped event: " + index.fault_detail(), index.fault_pointer()},
                     "not_mapped");
  }
  complete(event, r, from, index);
  auto out = parse_request(event, request_shape::events, context);
  if (!out)
    return refused(r, context, out.err(), "not_json");
  if (out->events.size() != 1)
    return refused(r, context, {ec::malformed, "a record is one event", ""}, "not_object");
  return std::move(out->events.front());
}

} // namespace

parsed_event to_event(const record& r, const origin& from, const record_mapping& mapping,
                      const request_context& context) {
  auto out = parsed(r, from, mapping, context);
  if (out.raw.kind != raw_kind::refused)
    return out;
  auto& why = out.raw.notes.front();
  why.detail = fmt::format("{}: {}", place_of(r, from), why.detail);
  auto& v = out.verdict;
  v.id = out.raw.id;
  v.message_id = out.raw.message_id;
  v.result = verdict_result::rejected;
  v.code = why.code;
  v.detail = why.detail;
  v.pointer = why.pointer;
  return out;
}

} // namespace pulse::source
