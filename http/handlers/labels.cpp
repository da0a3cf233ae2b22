#include "http/handlers/labels.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "http/handlers/interval_json.hpp"
#include "http/handlers/problems.hpp"
#include "models/event/event_json.hpp"
#include "models/rules/quality.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;
using stores_ptr = std::shared_ptr<store_pool<label_store>>;

constexpr std::size_t labels_max = 1'000;
constexpr std::size_t reason_bytes_max = 64;
constexpr std::size_t name_bytes_max = 512;
constexpr std::int64_t judged_max = 20'000;
constexpr std::int64_t quality_days = 90;

/// One label of the request, or what is wrong with it.
struct read_label {
  given_label label;
  std::vector<problem_item> problems;
};

class label_reader {
public:
  label_reader(const json& given, const std::string& at, time_ms now) : given_(given), at_(at), now_(now) {
  }

  read_label read() {
    if (!given_.is_object()) {
      bad("", "malformed", "a label is an object");
      return std::move(out_);
    }
    for (const auto& [name, value] : given_.items())
      if (name != "event_id" && name != "message_id" && name != "order_id" && name != "label" && name != "reason" &&
          name != "at")
        bad("/" + name, "unknown", name + ": no field here");
    read_target();
    const auto word = text("label", name_bytes_max);
    out_.label.fraud = word == "fraud";
    if (word != "fraud" && word != "legitimate")
      bad("/label", "invalid", "label: fraud or legitimate");
    out_.label.reason = text("reason", reason_bytes_max);
    out_.label.decided_at = now_;
    if (const auto at = text("at", name_bytes_max); !at.empty()) {
      const auto t = parse_time(at);
      if (!t || t->value < 0 || t->value > now_.value + day_ms)
        bad("/at", "invalid", "at: a time of RFC 3339, not in the future");
      else
        out_.label.decided_at = *t;
    }
    return std::move(out_);
  }

private:
  void bad(const std::string& pointer, std::string code, std::string detail) {
    out_.problems.push_back({at_ + pointer, std::move(code), std::move(detail)});
  }

  std::string text(const char* name, std::size_t bytes_max) {
    const auto it = given_.find(name);
    if (it == given_.end() || it->is_null())
      return {};
    auto out = it->is_string() ? it->get<std::string>() : std::string{};
    if (out.empty() || out.size() > bytes_max || out.find('\0') != std::string::npos) {
      bad(fmt::format("/{}", name), "invalid", fmt::format("{}: a text of 1 to {} bytes", name, bytes_max));
      return {};
    }
    return out;
  }

  void read_target() {
    auto& l = out_.label;
    const auto id = text("event_id", name_bytes_max);
    l.message_id = text("message_id", name_bytes_max);
    l.order_id = text("order_id", name_bytes_max);
    const auto named = int{!id.empty()} + int{!l.message_id.empty()} + int{!l.order_id.empty()};
    if (named != 1 && out_.problems.empty())
      bad("", "invalid", "one of event_id, message_id and order_id");
    if (id.empty())
      return;
    if (const auto parsed = uuid::parse(id))
      l.id = event_id{*parsed};
    else
      bad("/event_id", "invalid", "event_id: a UUID");
  }

  const json& given_;
  std::string at_;
  time_ms now_;
  read_label out_;
};

json result_json(std::size_t index, const std::string& result, const std::optional<event_id>& id) {
  return {{"index", index}, {"event_id", id ? json(id->str()) : json(nullptr)}, {"result", result}};
}

struct label_request {
  bool single = false;
  std::vector<read_label> labels;
  time_ms from;
  time_ms to;
};

response answer_single(const label_answer& said) {
  if (said.result == "unknown")
    return response::problem(404, "not_found",
                             "there is no such event; message ids are looked for among those of the last 7 days, or of "
                             "`from` to `to`");
  return response::json(200, result_json(0, said.result, said.id).dump());
}

response put_labels(label_store& store, const request& in, const label_request& q, const label_ports& ports) {
  std::vector<given_label> good;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < q.labels.size(); ++i)
    if (q.labels[i].problems.empty()) {
      good.push_back(q.labels[i].label);
      places.push_back(i);
    }
  auto stored = store.put(in.who.tenant, good, q.from, q.to,
                          in.who.key_id == 0 ? std::string("admin") : "key " + in.who.key_name);
  if (!stored)
    return response::problem(stored.err());
  if (stored->control)
    ports.put_in_force(in.who.tenant, *stored->control);
  std::for_each(stored->changed.begin(), stored->changed.end(), ports.count);
  const auto& said = stored->answers;
  if (q.single)
    return answer_single(said.front());
  json results = json::array();
  std::size_t next = 0, accepted = 0;
  for (std::size_t i = 0; i < q.labels.size(); ++i) {
    if (next < places.size() && places[next] == i) {
      const auto& a = said[next++];
      accepted += a.result == "unknown" ? 0 : 1;
      results.push_back(result_json(i, a.result, a.id));
      continue;
    }
    auto refused = result_json(i, "rejected", {});
    refused["detail"] = q.labels[i].problems.front().detail;
    results.push_back(std::move(refused));
  }
  return response::json(200, json{{"accepted", accepted}, {"results", std::move(results)}}.dump());
}

/// Reads the body; nothing, and answers itself, when it cannot.
std::optional<label_request> read_body(const request& in, time_ms now, const responder& answer) {
  const auto range = query::read_trail_question(in.query);
  if (const auto* found = std::get_if<query::problems>(&range)) {
    answer(refused_question(*found));
    return std::nullopt;
  }
  const auto body = json::parse(in.body, nullptr, false);
  if (!body.is_object() && !body.is_array()) {
    answer(response::problem(400, "malformed", "the body is no JSON: a label, or an array of labels"));
    return std::nullopt;
  }
  label_request q;
  q.single = body.is_object();
  if (body.size() > labels_max && !q.single) {
    answer(response::problem(413, "too_large", fmt::format("at most {} labels a request", labels_max)));
    return std::nullopt;
  }
  for (std::size_t i = 0; i < (q.single ? 1 : body.size()); ++i)
    q.labels.push_back(label_reader(q.single ? body : body[i], q.single ? "" : fmt::format("/{}", i), now).read());
  if (q.single && !q.labels.front().problems.empty()) {
    auto refused = response::problem(422, "invalid", q.labels.front().problems.front().detail);
    refused.problem_body->errors = q.labels.front().problems;
    answer(std::move(refused));
    return std::nullopt;
  }
  const auto& asked = std::get<query::trail_question>(range);
  q.to = asked.to.value_or(time_ms{now.value + day_ms});
  q.from = asked.from.value_or(time_ms{std::max<std::int64_t>(0, std::min(q.to.value, now.value) - 7 * day_ms)});
  return q;
}

response list_labels(label_store& store, const request& in, const query::page_question& q) {
  auto page = store.list(in.who.tenant, q);
  if (!page)
    return response::problem(page.err());
  json data = json::array();
  for (const auto& l : page->rows)
    data.push_back({{"event_id", l.id.str()},
                    {"order_id", l.order_id.empty() ? json(nullptr) : json(l.order_id)},
                    {"label", l.fraud ? "fraud" : "legitimate"},
                    {"reason", l.reason},
                    {"at", format_time(l.decided_at)},
                    {"labelled_at", format_time(l.labelled_at)},
                    {"labelled_by", l.labelled_by}});
  const auto next = page->has_more ? json(query::write_cursor(q.question, page->rows.back().id.value)) : json(nullptr);
  return response::json(200, json{{"data", data}, {"has_more", page->has_more}, {"next_cursor", next}}.dump());
}

json share_json(const std::optional<double>& share) {
  return share ? json(*share) : json(nullptr);
}

/// Counts of labelled hits, their precision and the share of all labelled frauds among them.
json hits_json(const rules::label_counts& c, std::optional<double> recall, std::int64_t frauds) {
  return {{"fraud", c.fraud},
          {"legitimate", c.legitimate},
          {"precision", share_json(c.precision())},
          {"precision_interval", interval_json(c.fraud, c.total())},
          {"recall", share_json(recall)},
          {"recall_interval", interval_json(c.fraud, frauds)}};
}

std::string quality_json(const rules::quality& q, time_ms from, time_ms to, bool cut) {
  const auto frauds = q.all().fraud;
  json out{{"from", format_time(from)},
           {"to", format_time(to)},
           {"labelled", {{"fraud", frauds}, {"legitimate", q.all().legitimate}}},
           {"cut", cut},
           {"stopped", hits_json(q.stopped(), q.recall(q.stopped()), frauds)}};
  out["outcomes"] = json::object();
  for (const auto* outcome : {"approve", "review", "decline"}) {
    const auto found = q.outcomes().find(outcome);
    const auto counts = found == q.outcomes().end() ? rules::label_counts{} : found->second;
    out["outcomes"][outcome] = {{"fraud", counts.fraud}, {"legitimate", counts.legitimate}};
  }
  out["rules"] = json::array();
  for (const auto& [rule, counts] : q.rules()) {
    auto one = hits_json(counts, q.recall(counts), frauds);
    one["name"] = rule.second;
    one["state"] = rule.first == "rule" ? "live" : "shadow";
    out["rules"].push_back(std::move(one));
  }
  out["models"] = json::array();
  for (const auto& [id, m] : q.models()) {
    const auto recall = m.all.fraud == 0
                            ? std::nullopt
                            : std::optional(static_cast<double>(m.stopped.fraud) / static_cast<double>(m.all.fraud));
    auto one = hits_json(m.stopped, recall, m.all.fraud);
    one["id"] = id.empty() ? json(nullptr) : json(id);
    out["models"].push_back(std::move(one));
  }
  return out.dump();
}

response quality_of(label_store& store, tenant_id tenant, time_ms from, time_ms to) {
  auto events = store.judged(tenant, from, to, judged_max);
  if (!events)
    return response::problem(events.err());
  rules::quality q;
  for (const auto& e : *events)
    q.add(e.fraud, e.outcome, e.model, read_parts(e.parts_json));
  return response::json(200, quality_json(q, from, to, events->size() == static_cast<std::size_t>(judged_max)));
}

route make(std::string method, std::string pattern, scope needed, std::function<void(request, responder)> handle) {
  route r;
  r.method = std::move(method);
  r.pattern = std::move(pattern);
  r.needed = needed;
  r.handle = std::move(handle);
  return r;
}

route quality_route(const stores_ptr& stores, const clock& time) {
  return make("GET", "/v1/labels/quality", scope::read, [stores, &time](const request& in, responder answer) {
    const auto asked = query::read_trail_question(in.query);
    if (const auto* found = std::get_if<query::problems>(&asked))
      return answer(refused_question(*found));
    const auto& q = std::get<query::trail_question>(asked);
    const auto to = q.to.value_or(time_ms{time.now().value + day_ms});
    const auto from = q.from.value_or(time_ms{std::max<std::int64_t>(0, to.value - quality_days * day_ms)});
    stores->run(std::move(answer),
                [tenant = in.who.tenant, from, to](label_store& s) { return quality_of(s, tenant, from, to); });
  });
}

} // namespace

std::vector<route> label_routes(const stores_ptr& stores, const clock& time, const label_ports& ports) {
  std::vector<route> out;
  out.push_back(make("POST", "/v1/labels", scope::admin, [stores, &time, ports](request in, responder answer) {
    auto q = read_body(in, time.now(), answer);
    if (!q)
      return;
    stores->run(std::move(answer),
                [in = std::move(in), q = std::move(*q), ports](label_store& s) { return put_labels(s, in, q, ports); });
  }));
  out.push_back(make("GET", "/v1/labels", scope::read, [stores](request in, responder answer) {
    auto question = query::read_page_question(in.query);
    if (const auto* found = std::get_if<query::problems>(&question))
      return answer(refused_question(*found));
    stores->run(std::move(answer), [in = std::move(in), q = std::get<query::page_question>(std::move(question))](
                                       label_store& s) { return list_labels(s, in, q); });
  }));
  out.push_back(quality_route(stores, time));
  return out;
}

} // namespace pulse::http
