#include "http/handlers/score.hpp"

#include <fmt/format.h>

#include "base/json_text.hpp"
#include "http/handlers/ingest.hpp"
#include "models/event/raw_codec.hpp"
#include "models/event/request_parser.hpp"

namespace pulse::http {

namespace {

/// A request for scores is for what is about to happen, not for a history: `pulse backtest` is.
constexpr std::size_t events_max = 100;

/// The place of an event in the request, and what was said of it.
struct placed_line {
  std::size_t index = 0;
  scored_line said;
};

response refused(const scored_line& why) {
  auto r = response::problem(422, why.code, why.detail);
  r.problem_body->errors.push_back({why.pointer, why.code, why.detail});
  return r;
}

response list_answer(const std::vector<placed_line>& lines) {
  std::size_t scored = 0;
  std::string results;
  for (const auto& [index, said] : lines) {
    json_object o;
    o.number("index", index).text("result", said.event.empty() ? "rejected" : "ok");
    if (said.event.empty())
      o.text("code", said.code).text("detail", said.detail).text("pointer", said.pointer);
    else
      o.raw("event", said.event);
    scored += said.event.empty() ? 0 : 1;
    results += (results.empty() ? "" : ",") + std::move(o).done();
  }
  json_object o;
  o.number("scored", scored).number("rejected", lines.size() - scored);
  return response::json(200, std::move(o.raw("results", "[" + results + "]")).done());
}

response answer_of(const std::vector<placed_line>& lines, bool single) {
  if (!single)
    return list_answer(lines);
  const auto& said = lines.front().said;
  return said.event.empty() ? refused(said) : response::json(200, said.event);
}

request_context context_of(const request& in, const score_parts& p) {
  request_context out;
  out.tenant = in.who.tenant;
  out.received_at = p.time.now();
  out.horizon = time_ms{out.received_at.value - p.horizon_ms};
  // As events of a test key they move no state.
  out.test = true;
  out.key = in.who.key_name;
  out.trace = in.trace;
  out.random = &p.random;
  out.limits.events_max = events_max;
  return out;
}

void score(request& in, const responder& answer, const score_parts& p) {
  auto parsed = parse_request(in.body, request_shape::events, context_of(in, p));
  if (!parsed)
    return answer(response::problem(parsed.err()));
  std::vector<placed_line> lines;
  std::vector<std::string> records;
  // The lines that wait for their scores.
  std::vector<std::size_t> open;
  for (auto& e : parsed->events) {
    auto& line = lines.emplace_back(placed_line{e.verdict.index, {}});
    if (e.raw.kind == raw_kind::refused) {
      line.said = {"", e.verdict.code, e.verdict.detail, e.verdict.pointer};
      continue;
    }
    records.push_back(encode(e.raw));
    open.push_back(lines.size() - 1);
  }
  const bool single = parsed->single;
  if (records.empty())
    return answer(lines.empty() ? response::problem(422, "invalid", "the body holds no event")
                                : answer_of(lines, single));
  p.ask(in.who.tenant, std::move(records),
        [answer, single, lines = std::move(lines),
         open = std::move(open)](const result<std::vector<scored_line>>& done) mutable {
          if (!done)
            return answer(response::problem(done.err()));
          if (done->size() != open.size())
            return answer(response::problem(
                error{ec::internal, fmt::format("{} scores for {} events", done->size(), open.size()), ""}));
          for (std::size_t i = 0; i < open.size(); ++i)
            lines[open[i]].said = (*done)[i];
          answer(answer_of(lines, single));
        });
}

} // namespace

route score_route(const score_parts& parts) {
  route r;
  r.method = "POST";
  r.pattern = "/v1/score";
  // It writes nothing, and what it says comes from the tenant's history.
  r.needed = scope::read;
  r.content_types = event_body_types();
  r.zstd = true;
  r.handle = [parts](request in, responder answer) {
    auto shared = std::make_shared<request>(std::move(in));
    const bool taken = parts.workers.post([parts, shared, answer](std::size_t) {
      try {
        score(*shared, answer, parts);
      } catch (const std::exception& e) {
        answer(response::problem(error{ec::internal, std::string("an unexpected fault: ") + e.what(), ""}));
      }
    });
    if (!taken)
      answer(response::problem(error{ec::unavailable, "too many requests wait; ask again in a moment", ""}));
  };
  return r;
}

} // namespace pulse::http
