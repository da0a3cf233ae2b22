#include "http/handlers/forecasts.hpp"

#include "base/json_text.hpp"
#include "http/handlers/problems.hpp"
#include "http/handlers/query_json.hpp"
#include "models/query/forecast.hpp"

namespace pulse::http {

namespace {

void append(json_object& o, const query::forecast_value& v) {
  o.raw("expected", value_json(v.expected)).raw("lower", value_json(v.lower)).raw("upper", value_json(v.upper));
}

std::string course_json(const query::forecast_answer::goal_course& c, std::string_view period) {
  json_object o;
  o.text("period", period).time("from", c.from).time("to", c.to).raw("goal", value_json(c.goal));
  o.raw("so_far", value_json(c.so_far));
  append(o, c.sum);
  return std::move(o.number("against_goal", c.against_goal).flag("sure", c.sure).text("text", c.text)).done();
}

std::string forecast_json(const query::forecast_answer& a) {
  const auto& q = a.question;
  json_object o;
  o.text("metric", query::info_of(q.span.metric).name).text("unit", a.unit);
  o.text("granularity", to_string(q.span.granularity)).text("timezone", a.timezone).time("as_of", q.as_of);
  o.number("level", q.level).text("method", a.method);
  std::string points = "[";
  for (std::size_t i = 0; i < a.points.size(); ++i) {
    json_object p;
    p.time("t", a.times[i]);
    append(p, a.points[i]);
    points += (i == 0 ? "" : ",") + std::move(p).done();
  }
  json_object total;
  append(total, a.total);
  o.raw("points", points + "]").raw("total", std::move(total).done());
  return std::move(o.raw("course", a.course ? course_json(*a.course, to_string(q.period)) : "null")).done();
}

response ask(query_store& store, tenant_id tenant, const query::forecast_question& q) {
  const auto span = store.metric(tenant, q.span);
  if (!span)
    return response::problem(span.err());
  std::optional<query::metric_answer> periods;
  if (q.goal) {
    auto found = store.metric(tenant, query::period_question(q));
    if (!found)
      return response::problem(found.err());
    periods = std::move(*found);
  }
  const auto answer = query::answer_forecast(q, *span, periods);
  return answer ? response::json(200, forecast_json(*answer)) : response::problem(answer.err());
}

} // namespace

route forecast_route(const std::shared_ptr<store_pool<query_store>>& stores, const clock& time) {
  route r;
  r.method = "GET";
  r.pattern = "/v1/forecasts/{metric}";
  r.needed = scope::read;
  r.handle = [stores, &time](request in, responder answer) {
    const auto* metric = query::find_metric(in.param("metric"));
    if (metric == nullptr)
      return answer(response::problem(404, "not_found", "there is no such metric; GET /v1/metrics lists them"));
    auto question = query::read_forecast_question(*metric, in.query, time.now());
    if (const auto* found = std::get_if<query::problems>(&question))
      return answer(refused_question(*found));
    stores->run(std::move(answer),
                [tenant = in.who.tenant, q = std::get<query::forecast_question>(std::move(question))](query_store& s) {
                  return ask(s, tenant, q);
                });
  };
  return r;
}

} // namespace pulse::http
