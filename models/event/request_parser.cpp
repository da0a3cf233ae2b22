#include "models/event/request_parser.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "models/event/body_splitter.hpp"
#include "models/event/event_identity.hpp"
#include "models/event/standard_fields.hpp"

namespace pulse {

namespace {

struct refusal {
  std::string_view code;
  std::string detail;
  std::string pointer;
};

std::string_view implied_type(request_shape shape) {
  switch (shape) {
    case request_shape::events:
    case request_shape::batch: return {};
    case request_shape::track: return "track";
    case request_shape::identify: return "identify";
    case request_shape::page: return "page";
    case request_shape::screen: return "screen";
    case request_shape::group: return "group";
    case request_shape::alias: return "alias";
  }
  return {};
}

std::string_view code_of(json_fault fault) {
  switch (fault) {
    case json_fault::none: return "ok";
    case json_fault::syntax: return "not_json";
    case json_fault::not_object: return "not_object";
    case json_fault::too_deep: return "too_deep";
    case json_fault::too_many_keys: return "too_many_keys";
  }
  return "not_json";
}

/// What holds for all events of a body.
struct envelope {
  std::string context;
  bool context_dropped = false;
  std::optional<time_ms> sent_at;
  std::optional<time_ms> timestamp;
};

std::optional<time_ms> read_time(const json_index& index, const json_node* node, note_sink notes) {
  if (node == nullptr || node->kind == json_kind::null)
    return std::nullopt;
  const auto time = node->kind == json_kind::string ? parse_time(node->text) : std::nullopt;
  if (!time)
    notes.add("bad_timestamp", index.pointer(node), "no time in RFC 3339; it was not read");
  return time;
}

class request_parser {
public:
  request_parser(std::string& body, request_shape shape, const request_context& context, json_index& index) :
    body_(body), shape_(shape), context_(context), index_(index) {
  }

  result<parsed_request> run() {
    repaired_ = repair_escapes(body_.data(), body_.size());
    const auto events_max = context_.limits.events_max;
    const auto split =
        shape_ == request_shape::batch ? split_batch(body_, events_max) : split_events(body_, events_max);
    if (!split.ok)
      return error{ec::malformed, std::string(split.detail), ""};
    if (split.too_many)
      return error{ec::too_large, fmt::format("more than {} events in one request; send fewer at once", events_max),
                   ""};
    out_.single = trim_json(body_).starts_with('{') && split.events.size() == 1 && shape_ != request_shape::batch;
    if (!out_.single && shape_ != request_shape::batch && shape_ != request_shape::events)
      return error{ec::malformed, "this route takes one JSON object", ""};
    if (const auto read = read_envelope(split.fields); !read)
      return read.err();
    out_.events.reserve(split.events.size());
    for (auto text : split.events)
      if (const auto read = one(text); !read)
        return read.err();
    return std::move(out_);
  }

private:
  result<void> check_key(const json_node* key) {
    if (key == nullptr || key->kind != json_kind::string)
      return {};
    if (!context_.key.empty() && !key->text.empty() && !key->text.starts_with(context_.key))
      return error{ec::unauthorized, "the body's writeKey is not the key of the request", "/writeKey"};
    return {};
  }

  result<void> read_envelope(const std::vector<std::string_view>& fields) {
    if (shape_ != request_shape::batch)
      return {};
    std::string text = "{";
    for (auto field : fields)
      text.append(text.size() > 1 ? "," : "").append(field);
    text += "}";
    if (index_.parse(text, context_.limits.json) != json_fault::none)
      return error{ec::malformed, "beside `batch`: " + index_.fault_detail(), index_.fault_pointer()};
    if (const auto ok = check_key(index_.find(index_.root(), "writeKey")); !ok)
      return ok;
    note_sink none(nullptr);
    envelope_.sent_at = out_.sent_at = read_time(index_, index_.find(index_.root(), "sentAt"), none);
    envelope_.timestamp = read_time(index_, index_.find(index_.root(), "timestamp"), none);
    const auto context = index_.find(index_.root(), "context");
    if (context != nullptr && context->kind == json_kind::object && context->size > 0) {
      envelope_.context_dropped = context->raw.size() > context_.limits.batch_context_bytes_max;
      if (!envelope_.context_dropped)
        envelope_.context = context->raw;
    }
    return {};
  }

  /// One event: parsed, checked, dated, named.
  result<void> one(std::string_view text) {
    auto& out = out_.events.emplace_back();
    out.verdict.index = out_.events.size() - 1;
    auto& raw = out.raw;
    raw.received_at = raw.occurred_at = context_.received_at;
    raw.test = context_.test;
    raw.trace = context_.trace;
    if (context_.publishable)
      raw.client_ip = context_.client_ip;
    const auto refused = inspect(text, out);
    if (fatal_)
      return *fatal_;
    raw.body = cut_body(text, refused.has_value());
    if (refused) {
      raw.kind = raw_kind::refused;
      raw.batch_context.clear();
      if (raw.id.value.is_nil())
        raw.id = make_random_event_id(context_.received_at, *context_.random);
      raw.notes.insert(raw.notes.begin(), {std::string(refused->code), refused->pointer, refused->detail});
    }
    settle(out);
    return {};
  }

  std::string cut_body(std::string_view text, bool refused) const {
    std::string out(refused ? text.substr(0, context_.limits.refused_bytes_max) : text);
    // What could not be parsed was not blanked by its place; failed events are shown to people who may only read.
    const auto& key = context_.key;
    if (refused && !key.empty())
      for (auto at = out.find(key); at != std::string::npos; at = out.find(key, at + key.size()))
        std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at), key.size(), '*');
    return out;
  }

  static void settle(parsed_event& out) {
    auto& v = out.verdict;
    v.id = out.raw.id;
    v.message_id = out.raw.message_id;
    v.result = out.raw.kind == raw_kind::refused ? verdict_result::rejected
               : out.raw.notes.empty()           ? verdict_result::ok
                                                 : verdict_result::warning;
    if (out.raw.notes.empty())
      return;
    v.code = out.raw.notes[0].code;
    v.detail = out.raw.notes[0].detail;
    v.pointer = out.raw.notes[0].pointer;
  }

  std::optional<refusal> inspect(std::string_view text, parsed_event& out) {
    const auto& limits = context_.limits;
    if (text.size() > limits.order_bytes_max)
      return refusal{"too_large", fmt::format("{} bytes; an event has at most {}", text.size(), limits.event_bytes_max),
                     ""};
    if (text.empty() || text.front() != '{')
      return refusal{text.empty() ? "not_json" : "not_object", "an event is a JSON object", ""};
    if (const auto fault = index_.parse_in_place(text, limits.json); fault != json_fault::none) {
      if (out_.single && fault == json_fault::syntax)
        fatal_ = error{ec::malformed, index_.fault_detail(), index_.fault_pointer()};
      return refusal{code_of(fault), index_.fault_detail(), index_.fault_pointer()};
    }
    note_sink notes(&out.raw.notes);
    if (const auto key = index_.find(index_.root(), "writeKey"); key != nullptr) {
      if (const auto ok = check_key(key); !ok)
        fatal_ = ok.err();
      blank(*key);
    }
    const auto fields = read_standard_fields(index_, implied_type(shape_), notes);
    name_and_date(fields, out, notes);
    if (const auto refused = judge(fields, text.size()))
      return refused;
    note_odd(text, notes);
    if (fields.type == "track") {
      commerce_fields ignored;
      read_commerce(index_, fields.properties, fields.name, {}, ignored, notes);
    }
    if (envelope_.context_dropped)
      notes.add("context_too_large", "", "the batch's context is too large and was left out");
    out.raw.batch_context = envelope_.context;
    out.raw.type = fields.type;
    out.entity = fields.user_id.empty() ? fields.anonymous_id : fields.user_id;
    return std::nullopt;
  }

  std::optional<refusal> judge(const standard_fields& fields, std::size_t size) const {
    const auto& limits = context_.limits;
    if (size > limits.event_bytes_max && !fields.name.starts_with("Order "))
      return refusal{"too_large", fmt::format("{} bytes; an event has at most {}", size, limits.event_bytes_max), ""};
    if (fields.type.empty())
      return refusal{"no_type", "no usable type: track, identify, page, screen, group or alias", "/type"};
    if (fields.name.empty())
      return refusal{"no_event_name", "a track call needs the name of its event", "/event"};
    if (fields.user_id.empty() && fields.anonymous_id.empty())
      return refusal{"no_user", "neither a user id nor an anonymous id", "/userId"};
    return std::nullopt;
  }

  void name_and_date(const standard_fields&, parsed_event& out, note_sink notes) {
    auto& raw = out.raw;
    const auto root = index_.root();
    client_times times;
    times.own = read_time(index_, index_.find(root, "timestamp"), notes);
    const char* own_pointer = "/timestamp";
    if (!times.own) {
      times.own = read_time(index_, index_.find(root, "originalTimestamp"), notes);
      own_pointer = "/originalTimestamp";
    }
    times.sent_at = read_time(index_, index_.find(root, "sentAt"), notes);
    if (!times.sent_at)
      times.sent_at = envelope_.sent_at;
    times.batch = envelope_.timestamp;
    const auto resolved = resolve_time(times, context_.received_at, {context_.horizon});
    if (resolved.reason == untimed_reason::out_of_range)
      notes.add("timestamp_out_of_range", own_pointer,
                "older than is kept, or more than a day ahead; dated by when it came");
    if (resolved.reason == untimed_reason::clock_skew)
      notes.add("clock_skew", own_pointer, "the client's clock is more than a day off; the time was corrected");
    raw.occurred_at = resolved.occurred_at;
    raw.timed = resolved.timed;
    raw.message_id = read_message_id(out.verdict.index, notes);
    raw.id = raw.message_id.empty() ? make_random_event_id(resolved.id_time, *context_.random)
                                    : make_event_id(context_.tenant, resolved.id_time, raw.message_id, raw.test);
  }

  std::string read_message_id(std::size_t position, note_sink notes) const {
    const auto node = index_.find(index_.root(), "messageId");
    auto id = std::string(read_id(node));
    if (id.empty() && node != nullptr && node->kind != json_kind::null)
      notes.add("wrong_type", "/messageId", "`messageId` is no string with text and was not read");
    if (id.empty() && !context_.idempotency_key.empty())
      id = fmt::format("idempotency:{}:{}", context_.idempotency_key, position);
    if (id.size() > context_.limits.message_id_bytes_max) {
      notes.add("message_id_too_long", "/messageId", "the message id is kept as its SHA-256");
      return "sha256:" + to_hex(sha256(id));
    }
    return id;
  }

  /// Duplicate keys, numbers out of range, repaired escapes: each with the place.
  void note_odd(std::string_view text, note_sink notes) {
    for (const auto& node : index_.nodes()) {
      if (node.duplicate)
        notes.add("duplicate_key", index_.pointer(&node), "the key stands twice in its object; the last one counts");
      if (!node.out_of_range)
        continue;
      const bool storable = is_storable(node.raw);
      notes.add("number_out_of_range", index_.pointer(&node),
                storable ? "a number that no reader can hold" : "a number that no store can hold, replaced by null");
      if (!storable)
        overwrite(node.raw, "null");
    }
    const auto from = static_cast<std::uint32_t>(text.data() - body_.data());
    const auto to = from + static_cast<std::uint32_t>(text.size());
    const auto at = std::lower_bound(repaired_.begin(), repaired_.end(), from);
    if (at != repaired_.end() && *at < to)
      notes.add("replaced_characters", place_of(*at), "NUL or a lone surrogate was replaced by U+FFFD");
  }

  /// The string that holds a byte of the body; empty where it is a key.
  std::string place_of(std::uint32_t offset) const {
    const char* const byte = body_.data() + offset;
    for (const auto& node : index_.nodes())
      if (node.kind == json_kind::string && node.raw.data() <= byte && byte < node.raw.data() + node.raw.size())
        return index_.pointer(&node);
    return {};
  }

  /// jsonb holds numbers of many digits, but of no exponent beyond five.
  static bool is_storable(std::string_view number) {
    const auto e = number.find_first_of("eE");
    return number.size() <= 4000 && (e == std::string_view::npos || number.size() - e <= 5);
  }

  void overwrite(std::string_view place, std::string_view with) {
    const auto at = body_.begin() + (place.data() - body_.data());
    std::fill_n(std::copy(with.begin(), with.end(), at), place.size() - with.size(), ' ');
  }

  /// A key is a secret, and the event is shown to people who may only read.
  void blank(const json_node& key) {
    if (key.kind != json_kind::string || key.raw.size() < 2)
      return;
    std::fill_n(body_.begin() + (key.raw.data() - body_.data()) + 1, key.raw.size() - 2, '*');
  }

  std::string& body_;
  request_shape shape_;
  const request_context& context_;
  json_index& index_;
  std::vector<std::uint32_t> repaired_;
  envelope envelope_;
  parsed_request out_;
  std::optional<error> fatal_;
};

} // namespace

result<parsed_request> parse_request(std::string& body, request_shape shape, const request_context& context) {
  PULSE_ASSERT(context.random != nullptr, "parse_request needs a source of randomness");
  // Its buffers are worth keeping from request to request; nothing else is kept.
  thread_local json_index index;
  return request_parser(body, shape, context, index).run();
}

} // namespace pulse
