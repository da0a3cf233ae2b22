#include "models/event/raw_codec.hpp"

#include <charconv>
#include <fmt/format.h>
#include <simdjson.h>

#include "base/encoding.hpp"
#include "models/event/json_index.hpp"

namespace pulse {

namespace {

constexpr int codec_version = 1;

std::string_view to_string(raw_kind kind) {
  switch (kind) {
    case raw_kind::event: return "event";
    case raw_kind::refused: return "refused";
    case raw_kind::control: return "control";
  }
  return "event";
}

void append_text(std::string& out, std::string_view field, std::string_view value) {
  if (value.empty())
    return;
  out.append(field);
  append_json_string(out, value);
}

void append_notes(std::string& out, const std::vector<note>& notes) {
  if (notes.empty())
    return;
  out += ",\"notes\":[";
  for (const auto& n : notes) {
    out += "{\"c\":";
    append_json_string(out, n.code);
    append_text(out, ",\"p\":", n.pointer);
    append_text(out, ",\"d\":", n.detail);
    out += "},";
  }
  out.back() = ']';
}

void append_body(std::string& out, const raw_event& raw) {
  if (!raw.batch_context.empty())
    out.append(",\"ctx\":").append(raw.batch_context);
  if (raw.kind != raw_kind::refused && !raw.body.empty()) {
    out.append(",\"body\":").append(raw.body);
  } else if (simdjson::validate_utf8(raw.body.data(), raw.body.size())) {
    append_text(out, ",\"text\":", raw.body);
  } else {
    append_text(out, ",\"bytes\":", to_base64(raw.body));
  }
}

namespace od = simdjson::ondemand;

std::string text_of(od::value value) {
  std::string_view text;
  return value.get_string().get(text) ? std::string{} : std::string(text);
}

std::string object_of(od::value value) {
  od::object object;
  std::string_view raw;
  if (value.get_object().get(object) || object.raw_json().get(raw))
    return {};
  while (!raw.empty() && raw.back() != '}')
    raw.remove_suffix(1);
  return std::string(raw);
}

bool bool_of(od::value value) {
  bool b = false;
  return !value.get_bool().get(b) && b;
}

time_ms time_of(od::value value) {
  std::int64_t ms = 0;
  return value.get_int64().get(ms) ? time_ms{} : time_ms{ms};
}

bool read_notes(od::value value, std::vector<note>& out) {
  od::array list;
  if (value.get_array().get(list))
    return false;
  for (auto item : list) {
    od::object object;
    if (item.get_object().get(object))
      return false;
    auto& n = out.emplace_back();
    for (auto field : object) {
      std::string_view key;
      od::value v;
      if (field.unescaped_key().get(key) || field.value().get(v))
        return false;
      (key == "c" ? n.code : key == "p" ? n.pointer : n.detail) = text_of(v);
    }
  }
  return true;
}

bool read_kind(std::string_view text, raw_kind& out) {
  for (auto kind : {raw_kind::event, raw_kind::refused, raw_kind::control})
    if (text == to_string(kind)) {
      out = kind;
      return true;
    }
  return false;
}

/// False when the field can't be what this program wrote.
bool read_field(std::string_view key, od::value value, raw_event& out) {
  if (key == "k")
    return read_kind(text_of(value), out.kind);
  if (key == "id") {
    const auto id = uuid::parse(text_of(value));
    if (id)
      out.id.value = *id;
    return id.ok();
  }
  if (key == "trace")
    return from_hex(text_of(value), out.trace.value.bytes);
  if (key == "notes")
    return read_notes(value, out.notes);
  if (key == "bytes") {
    auto bytes = from_base64(text_of(value));
    if (bytes)
      out.body = std::move(*bytes);
    return bytes.has_value();
  }
  if (key == "m")
    out.message_id = text_of(value);
  else if (key == "t")
    out.type = text_of(value);
  else if (key == "o")
    out.occurred_at = time_of(value);
  else if (key == "r")
    out.received_at = time_of(value);
  else if (key == "timed")
    out.timed = bool_of(value);
  else if (key == "test")
    out.test = bool_of(value);
  else if (key == "ip")
    out.client_ip = text_of(value);
  else if (key == "text")
    out.body = text_of(value);
  else if (key == "ctx")
    out.batch_context = object_of(value);
  else if (key == "body")
    out.body = object_of(value);
  return true;
}

} // namespace

std::string encode(const raw_event& raw) {
  std::string out;
  out.reserve(raw.body.size() + raw.batch_context.size() + 256);
  fmt::format_to(std::back_inserter(out), "{{\"v\":{},\"k\":\"{}\",\"id\":\"{}\"", codec_version, to_string(raw.kind),
                 raw.id.str());
  append_text(out, ",\"m\":", raw.message_id);
  append_text(out, ",\"t\":", raw.type);
  fmt::format_to(std::back_inserter(out), ",\"o\":{},\"r\":{}", raw.occurred_at.value, raw.received_at.value);
  if (raw.timed)
    out += ",\"timed\":true";
  if (raw.test)
    out += ",\"test\":true";
  append_text(out, ",\"ip\":", raw.client_ip);
  if (!raw.trace.value.is_nil())
    out.append(",\"trace\":\"").append(raw.trace.hex()).append("\"");
  append_notes(out, raw.notes);
  append_body(out, raw);
  out += "}";
  return out;
}

result<raw_event> decode(std::string_view record) {
  // Kept from record to record for their memory alone.
  thread_local od::parser parser;
  thread_local std::string padded;
  padded.clear();
  padded.reserve(record.size() + simdjson::SIMDJSON_PADDING);
  padded.append(record);
  const error corrupt{ec::corrupt, "a record of the raw log that this program did not write", ""};
  od::document document;
  od::object object;
  if (parser.iterate(simdjson::padded_string_view(padded.data(), padded.size(), padded.capacity())).get(document) ||
      document.get_object().get(object))
    return corrupt;
  raw_event out;
  bool versioned = false;
  for (auto field : object) {
    std::string_view key;
    od::value value;
    if (field.unescaped_key().get(key) || field.value().get(value))
      return corrupt;
    if (key == "v") {
      std::int64_t version = 0;
      if (value.get_int64().get(version))
        return corrupt;
      if (version != codec_version)
        return error{
            ec::unsupported,
            fmt::format("a record of the raw log of version {}; this program reads {}", version, codec_version), ""};
      versioned = true;
    } else if (!read_field(key, value, out)) {
      return corrupt;
    }
  }
  if (!versioned)
    return corrupt;
  return out;
}

} // namespace pulse
