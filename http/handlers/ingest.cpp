#include "http/handlers/ingest.hpp"

#include <algorithm>
#include <array>

#include "base/json_text.hpp"
#include "http/middleware/rate.hpp"

namespace pulse::http {

namespace {

/// Segment's routes with their browser forms.
constexpr std::array<std::string_view, 14> segment_words = {
    "track", "identify", "page", "screen", "group", "alias", "batch", "t", "i", "p", "s", "g", "a", "b"};

void set_rate(response& r, const ingest_reply& reply) {
  if (reply.rate)
    r.rate = rate_of(reply.rate->first, reply.rate->second);
}

response failure(const ingest_reply& reply) {
  auto r = response::problem(*reply.failed);
  if (reply.retry_after_ms > 0)
    r.retry_after_s = std::max<std::int64_t>(1, (reply.retry_after_ms + 999) / 1000);
  set_rate(r, reply);
  return r;
}

response segment_answer(const ingest_reply& reply) {
  if (reply.failed)
    return failure(reply);
  // What was refused is among the failed events: an SDK drops a batch on any other answer.
  auto r = response::json(200, R"({"success":true})");
  set_rate(r, reply);
  return r;
}

std::string_view result_word(const ingest_reply::line& line) {
  return line.duplicate ? "duplicate" : to_string(line.said.result);
}

void append_line(std::string& out, const ingest_reply::line& line) {
  out.push_back('{');
  append_json_name(out, "index");
  out += std::to_string(line.said.index);
  const auto text = [&out](std::string_view name, std::string_view value) {
    append_json_name(out, name);
    append_json(out, value);
  };
  text("id", line.said.id.str());
  text("message_id", line.said.message_id);
  text("result", result_word(line));
  if (!line.said.code.empty()) {
    text("code", line.said.code);
    text("detail", line.said.detail);
    if (!line.said.pointer.empty())
      text("pointer", line.said.pointer);
  }
  out.push_back('}');
}

response events_answer(const ingest_reply& reply, bool queued) {
  if (reply.failed)
    return failure(reply);
  std::int64_t accepted = 0;
  std::int64_t duplicates = 0;
  std::int64_t rejected = 0;
  for (const auto& line : reply.lines) {
    if (line.said.result == verdict_result::rejected)
      ++rejected;
    else if (line.duplicate)
      ++duplicates;
    else
      ++accepted;
  }
  if (reply.single && rejected == 1) {
    const auto& said = reply.lines.front().said;
    response r = response::problem(422, said.code, said.detail);
    r.problem_body->errors.push_back({said.pointer, said.code, said.detail});
    set_rate(r, reply);
    return r;
  }
  std::string out = "{";
  const auto number = [&out](std::string_view name, std::int64_t v) {
    append_json_name(out, name);
    out += std::to_string(v);
  };
  number("accepted", accepted);
  number("duplicates", duplicates);
  number("rejected", rejected);
  append_json_name(out, "results");
  out.push_back('[');
  for (const auto& line : reply.lines) {
    if (out.back() != '[')
      out.push_back(',');
    append_line(out, line);
  }
  out += "]}";
  auto r = response::json(queued ? 202 : 200, std::move(out));
  set_rate(r, reply);
  return r;
}

ingest_ptr make_request(request& in, request_shape shape) {
  auto out = std::make_shared<ingest_request>();
  out->tenant = in.who.tenant;
  out->shape = shape;
  out->test = in.who.test;
  out->publishable = in.who.scopes.has(scope::publishable) && !in.who.scopes.has(scope::ingest);
  if (out->publishable)
    out->client_ip = in.remote_ip;
  out->trace = in.trace;
  out->traceparent = in.traceparent;
  out->idempotency_key = in.headers.find("Idempotency-Key");
  out->key = in.who.key_name;
  out->body = std::move(in.body);
  return out;
}

route segment_route(const ingest_port& port, std::string_view word) {
  route r;
  r.method = "POST";
  r.pattern = "/v1/" + std::string(word);
  r.needed = scope::ingest;
  r.publishable = true;
  r.cors = true;
  r.key_from_body = [](const request& in) {
    return find_write_key(in.body);
  };
  r.handle = [port, shape = *shape_of_route(word)](request in, responder answer) {
    auto out = make_request(in, shape);
    out->done = [answer = std::move(answer)](const ingest_reply& reply) {
      answer(segment_answer(reply));
    };
    port(std::move(out));
  };
  return r;
}

route events_route(const ingest_port& port) {
  route r;
  r.method = "POST";
  r.pattern = "/v1/events";
  r.needed = scope::ingest;
  r.content_types = event_body_types();
  r.zstd = true;
  r.handle = [port](request in, responder answer) {
    const auto ack = in.query_value("ack").value_or("durable");
    if (ack != "durable" && ack != "queued") {
      answer(response::problem(422, "invalid", "ack is durable or queued"));
      return;
    }
    auto out = make_request(in, request_shape::events);
    out->queued = ack == "queued";
    out->done = [answer = std::move(answer), queued = out->queued](const ingest_reply& reply) {
      answer(events_answer(reply, queued));
    };
    port(std::move(out));
  };
  return r;
}

} // namespace

std::vector<std::string> event_body_types() {
  return {"application/json", "application/x-ndjson", "application/ndjson", "text/plain",
          // What curl -d says when nobody tells it otherwise.
          "application/x-www-form-urlencoded"};
}

std::vector<route> ingest_routes(ingest_port port) {
  std::vector<route> out;
  for (auto word : segment_words)
    out.push_back(segment_route(port, word));
  out.push_back(events_route(port));
  return out;
}

} // namespace pulse::http
