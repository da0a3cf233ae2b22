#include "http/handlers/failed_replay.hpp"

#include <chrono>
#include <fmt/format.h>
#include <future>
#include <nlohmann/json.hpp>

namespace pulse::http {

namespace {

constexpr std::int64_t replay_max = 1000;
/// One request to ingestion: below its limits of events and bytes.
constexpr std::size_t group_events_max = 500;
constexpr std::size_t group_bytes_max = 3U << 20;
constexpr auto answer_within = std::chrono::seconds(20);

struct selection_or_problem {
  failed_selection which;
  std::vector<problem_item> problems;
};

void read_field(const std::string& name, const nlohmann::json& value, selection_or_problem& out) {
  const auto bad = [&](const char* detail) {
    out.problems.push_back({"/" + name, "invalid", name + ": " + detail});
  };
  const auto text = value.is_string() ? value.get<std::string>() : std::string{};
  if (name == "from" || name == "to") {
    const auto t = parse_time(text);
    if (!t || t->value < 0)
      bad("a time of RFC 3339");
    (name == "from" ? out.which.from : out.which.to) = t;
  } else if (name == "code" || name == "stage") {
    if (text.empty() || text.find('\0') != std::string::npos)
      bad("a text");
    (name == "code" ? out.which.code : out.which.stage) = text;
  } else if (name == "ids") {
    if (!value.is_array() || value.empty() || value.size() > replay_max)
      return bad("a list of 1 to 1000 ids");
    for (const auto& v : value) {
      const auto id = uuid::parse(v.is_string() ? v.get<std::string>() : std::string{});
      if (!id)
        return bad("ids of failed events");
      out.which.ids.push_back(*id);
    }
  } else {
    bad("no field here: from, to, code, stage, ids");
  }
}

selection_or_problem read_selection(const std::string& body) {
  selection_or_problem out;
  const auto given = nlohmann::json::parse(body.empty() ? "{}" : body, nullptr, false);
  if (!given.is_object()) {
    out.problems.push_back({"", "malformed", "the body is no JSON object"});
    return out;
  }
  for (const auto& [name, value] : given.items())
    read_field(name, value, out);
  return out;
}

struct replay_tally {
  std::int64_t rejected = 0;
  std::vector<uuid> taken;
  std::optional<error> stopped;
};

/// Sends one JSON array; `rows` are its elements in order. Blocks until ingestion answers.
void send_group(const request& in, const ingest_port& ingest, const std::vector<uuid>& rows, std::string body,
                replay_tally& tally) {
  // Shared: an answer that comes too late must find it.
  auto done = std::make_shared<std::promise<ingest_reply>>();
  auto said = done->get_future();
  auto out = std::make_shared<ingest_request>();
  out->tenant = in.who.tenant;
  out->body = std::move(body);
  out->shape = request_shape::events;
  out->trace = in.trace;
  out->traceparent = in.traceparent;
  out->done = [done](ingest_reply r) {
    done->set_value(std::move(r));
  };
  ingest(std::move(out));
  if (said.wait_for(answer_within) != std::future_status::ready) {
    tally.stopped =
        error{ec::timeout, "ingestion did not answer in time; what it took anyway is a duplicate next time", ""};
    return;
  }
  const auto reply = said.get();
  tally.stopped = reply.failed;
  for (const auto& line : reply.lines) {
    if (line.said.result == verdict_result::rejected)
      ++tally.rejected;
    else if (line.said.index < rows.size())
      tally.taken.push_back(rows[line.said.index]);
  }
}

replay_tally send_all(const request& in, const ingest_port& ingest, std::vector<failed_body>& found) {
  replay_tally tally;
  std::vector<uuid> rows;
  std::string body;
  const auto flush = [&] {
    if (!rows.empty() && !tally.stopped)
      send_group(in, ingest, rows, "[" + body + "]", tally);
    rows.clear();
    body.clear();
  };
  for (auto& f : found) {
    // What is no object would be refused as before, and would spoil its neighbours.
    if (!nlohmann::json::accept(f.body) || f.body.find_first_not_of(" \t\r\n") != f.body.find('{')) {
      ++tally.rejected;
      continue;
    }
    if (rows.size() == group_events_max || body.size() + f.body.size() > group_bytes_max)
      flush();
    body += (body.empty() ? "" : ",") + f.body;
    rows.push_back(f.id);
  }
  flush();
  return tally;
}

response replay(failed_store& store, const request& in, const ingest_port& ingest, const failed_selection& which) {
  auto found = store.read(in.who.tenant, which, replay_max);
  if (!found)
    return response::problem(found.err());
  const auto tally = send_all(in, ingest, *found);
  if (!tally.taken.empty())
    if (auto marked = store.mark_replayed(in.who.tenant, tally.taken); !marked)
      return response::problem(marked.err());
  if (tally.stopped && tally.taken.empty())
    return response::problem(*tally.stopped);
  const nlohmann::ordered_json out = {
      {"count", found->size()}, {"accepted", tally.taken.size()}, {"rejected", tally.rejected}, {"dry_run", false}};
  return response::json(200, out.dump());
}

} // namespace

route failed_replay_route(const std::shared_ptr<store_pool<failed_store>>& stores, ingest_port ingest) {
  route r;
  r.method = "POST";
  r.pattern = "/v1/failed-events/replay";
  r.needed = scope::admin;
  r.handle = [stores, ingest = std::move(ingest)](request in, responder answer) {
    auto read = read_selection(in.body);
    if (!read.problems.empty()) {
      auto refused = response::problem(422, "invalid", read.problems.front().detail);
      refused.problem_body->errors = std::move(read.problems);
      return answer(std::move(refused));
    }
    const bool dry = in.query_value("dry_run") == "true";
    stores->run(std::move(answer), [dry, ingest, in = std::move(in), which = std::move(read.which)](failed_store& s) {
      if (!dry)
        return replay(s, in, ingest, which);
      auto n = s.count(in.who.tenant, which);
      if (!n)
        return response::problem(n.err());
      return response::json(200, fmt::format(R"({{"count":{},"dry_run":true}})", *n));
    });
  };
  return r;
}

} // namespace pulse::http
