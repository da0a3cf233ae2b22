#include "http/handlers/query.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "base/json_text.hpp"
#include "http/handlers/problems.hpp"
#include "http/handlers/query_json.hpp"
#include "http/handlers/stored_events.hpp"

namespace pulse::http {

namespace {

using stores_ptr = std::shared_ptr<store_pool<query_store>>;

route make(std::string pattern, std::function<void(request, responder)> handle) {
  route r;
  r.method = "GET";
  r.pattern = std::move(pattern);
  r.needed = scope::read;
  r.handle = std::move(handle);
  return r;
}

/// A row is `write`n; the page's cursor is the id of the last one.
template <class Row, class Write, class Id>
response page_answer(const query::page_question& q, const page_of<Row>& page, const Write& write, const Id& id) {
  std::string out = R"({"data":[)";
  for (const auto& row : page.rows) {
    if (out.back() != '[')
      out.push_back(',');
    out += write(row);
  }
  const auto next = page.has_more ? fmt::format("\"{}\"", query::write_cursor(q.question, id(page.rows.back())))
                                  : std::string("null");
  return response::json(200, fmt::format(R"({}],"has_more":{},"next_cursor":{}}})", out, page.has_more, next));
}

/// Reads the question, refuses it with all that is wrong, or asks a worker's store.
template <class Question>
route asking(std::string pattern, const stores_ptr& stores, query::read<Question> (*read)(const query::parameters&),
             response (*ask)(query_store&, const request&, const Question&)) {
  return make(std::move(pattern), [stores, read, ask](request in, responder answer) {
    auto question = read(in.query);
    if (const auto* found = std::get_if<query::problems>(&question))
      return answer(refused_question(*found));
    stores->run(std::move(answer), [ask, in = std::move(in), q = std::get<Question>(std::move(question))](
                                       query_store& s) { return ask(s, in, q); });
  });
}

response list_events(query_store& s, const request& in, const query::events_question& q) {
  auto page = s.events(in.who.tenant, q);
  if (!page)
    return response::problem(page.err());
  return page_answer(q, *page, event_json, [](const stored_event& e) { return e.id.value; });
}

response list_failed(query_store& s, const request& in, const query::failed_question& q) {
  auto page = s.failed_events(in.who.tenant, q);
  if (!page)
    return response::problem(page.err());
  return page_answer(q, *page, failed_json, [](const failed_event& f) { return f.id; });
}

response one_event(query_store& s, const request& in) {
  const auto id = uuid::parse(in.param("id"));
  if (!id)
    return response::problem(404, "not_found", "there is no such event; events are named by their id, a UUID");
  auto e = s.event(in.who.tenant, event_id{*id});
  return e ? response::json(200, event_json(*e)) : response::problem(e.err());
}

route metric_route(const stores_ptr& stores, const clock& time) {
  return make("/v1/metrics/{metric}", [stores, &time](request in, responder answer) {
    const auto* metric = query::find_metric(in.param("metric"));
    if (metric == nullptr)
      return answer(response::problem(404, "not_found", "there is no such metric; GET /v1/metrics lists them"));
    auto question = query::read_metric_question(*metric, in.query, time.now());
    if (const auto* found = std::get_if<query::problems>(&question))
      return answer(refused_question(*found));
    stores->run(std::move(answer),
                [tenant = in.who.tenant, q = std::get<query::metric_question>(std::move(question))](query_store& s) {
                  auto a = s.metric(tenant, q);
                  return a ? response::json(200, metric_json(*a)) : response::problem(a.err());
                });
  });
}

second_try try_again(query_store& store, tenant_id tenant, const stored_event& s) {
  const auto e = event_of(s);
  const auto row = row_of(s);
  const auto d = deciders_of(store, tenant, e);
  second_try out;
  out.flip = flip_json(d, e, row).value_or("null");
  out.fault = s.features.empty() ? "its features are not stored" : recompute_fault(d, e, row);
  return out;
}

route trail_route(const stores_ptr& stores, const clock& time) {
  return make("/v1/events/{id}/trail", [stores, &time](request in, responder answer) {
    auto question = query::read_trail_question(in.query);
    if (const auto* found = std::get_if<query::problems>(&question))
      return answer(refused_question(*found));
    const auto q = std::get<query::trail_question>(question);
    std::string id(in.param("id"));
    if (id.find('\0') != std::string::npos)
      return answer(response::problem(404, "not_found", "there is no such event"));
    // An event may be a day ahead of its receipt.
    const auto to = q.to.value_or(time_ms{time.now().value + day_ms});
    const auto from =
        q.from.value_or(time_ms{std::max<std::int64_t>(0, std::min(to.value, time.now().value) - 7 * day_ms)});
    stores->run(std::move(answer), [tenant = in.who.tenant, id, from, to](query_store& s) {
      auto t = s.trail(tenant, id, from, to);
      if (!t)
        return response::problem(t.err());
      return response::json(200, trail_json(id, *t, t->stored ? try_again(s, tenant, *t->stored) : second_try()));
    });
  });
}

} // namespace

std::vector<route> query_routes(const stores_ptr& stores, const clock& time) {
  std::vector<route> out;
  out.push_back(make("/v1/metrics",
                     [](const request&, const responder& answer) { answer(response::json(200, metric_list_json())); }));
  out.push_back(metric_route(stores, time));
  out.push_back(asking("/v1/events", stores, query::read_events_question, list_events));
  out.push_back(make("/v1/events/{id}", [stores](request in, responder answer) {
    stores->run(std::move(answer), [in = std::move(in)](query_store& s) { return one_event(s, in); });
  }));
  out.push_back(trail_route(stores, time));
  out.push_back(asking("/v1/failed-events", stores, query::read_failed_question, list_failed));
  out.push_back(make("/v1/limits", [stores](request in, responder answer) {
    stores->run(std::move(answer), [tenant = in.who.tenant](query_store& s) {
      auto use = s.use(tenant);
      return use ? response::json(200, limits_json(*use)) : response::problem(use.err());
    });
  }));
  return out;
}

} // namespace pulse::http
