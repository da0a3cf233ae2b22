#include "http/admin/admin_server.hpp"

#include <chrono>
#include <future>
#include <httplib.h>
#include <thread>

#include "base/encoding.hpp"
#include "http/middleware/api_key.hpp"
#include "http/middleware/key_cache.hpp"
#include "http/middleware/request_context.hpp"
#include "http/middleware/router.hpp"
#include "http/middleware/url.hpp"

namespace pulse::http {

namespace {

constexpr std::size_t body_bytes_max = 16U << 20;

/// What an admin request is answered with before, or by, its handler.
struct exchange {
  request req;
  const route* target = nullptr;
};

} // namespace

struct admin_server::state {
  state(admin_config c, std::vector<route> list, random_source& r, request_observer o) :
    config(std::move(c)), routes(std::move(list)), random(r), observe(std::move(o)) {
  }

  void serve(const httplib::Request& in, httplib::Response& out);
  request take(const httplib::Request& in);
  response choose(const httplib::Request& in, exchange& x);
  result<principal> authenticate(const request& req) const;
  response call(exchange& x);
  void send(response r, const std::string& path, const request& ids, httplib::Response& out);
  void refuse(const httplib::Request& in, httplib::Response& out);

  admin_config config;
  router routes;
  random_source& random;
  request_observer observe;
  httplib::Server http;
  std::thread thread;
};

request admin_server::state::take(const httplib::Request& in) {
  request req;
  req.method = in.method;
  for (const auto& [name, value] : in.headers)
    req.headers.add(name, value);
  req.remote_ip = in.remote_addr;
  auto trace = take_traceparent(req.headers.find("traceparent"), random);
  req.request_id = take_request_id(req.headers.find("X-Request-Id"), random);
  req.trace = trace.trace;
  req.traceparent = std::move(trace.traceparent);
  return req;
}

result<principal> admin_server::state::authenticate(const request& req) const {
  const auto given = key_from_headers(req.headers);
  if (!given)
    return given.err();
  principal who;
  // Both are compared whatever the first says: how long it takes must not tell which token is nearly right.
  const std::string token = given->value_or("");
  const bool admin = !config.admin_token.empty() && equal_constant_time(token, config.admin_token);
  const bool metrics = !config.metrics_token.empty() && equal_constant_time(token, config.metrics_token);
  if (admin)
    who.scopes = {scope::admin, scope::read};
  else if (metrics)
    who.scopes = {scope::read};
  else
    return error{ec::unauthorized, "the admin token is wanted: Authorization: Bearer", ""};
  who.key_name = admin ? "admin-token" : "metrics-token";
  return who;
}

response admin_server::state::choose(const httplib::Request& in, exchange& x) {
  auto where = parse_target(in.target);
  if (!where)
    return response::problem(where.err());
  x.req.path = std::move(where->path);
  x.req.query = std::move(where->query);
  auto m = routes.find(in.method, where->raw_path);
  if (m.allow.empty())
    return response::problem(404, "not_found", "there is no such path");
  if (m.found == nullptr) {
    auto out = in.method == "OPTIONS" ? response::empty(204)
                                      : response::problem(405, "method_not_allowed", "the path takes " + m.allow);
    out.headers.add("Allow", m.allow);
    return out;
  }
  x.target = m.found;
  x.req.params = std::move(m.params);
  if (!m.found->keyless) {
    auto who = authenticate(x.req);
    if (!who)
      return response::problem(who.err());
    x.req.who = std::move(*who);
    if (auto allowed = authorize(x.req.who, *m.found); !allowed)
      return response::problem(allowed.err());
  }
  if (in.body.size() > m.found->body_bytes_max)
    return response::problem(413, "too_large", "the body is larger than the limit");
  x.req.body = in.body;
  x.req.wire_bytes = in.body.size();
  return call(x);
}

response admin_server::state::call(exchange& x) {
  const auto answer = std::make_shared<std::promise<response>>();
  auto waiting = answer->get_future();
  try {
    x.target->handle(x.req, answer_once([answer](response r) { answer->set_value(std::move(r)); }));
  } catch (const std::exception&) {
    return response::problem(500, "internal", "the request failed inside the server");
  }
  if (waiting.wait_for(std::chrono::milliseconds(config.handler_timeout_ms)) != std::future_status::ready)
    return response::problem(503, "timeout", "the request took too long; its outcome is unknown");
  return waiting.get();
}

void admin_server::state::send(response r, const std::string& path, const request& ids, httplib::Response& out) {
  finish_response(r, path, ids.request_id, ids.traceparent);
  out.status = r.status;
  for (const auto& [name, value] : r.headers.fields())
    if (!equal_no_case(name, "Content-Type"))
      out.set_header(name, value);
  if (!r.content_type.empty())
    out.set_content(std::move(r.body), r.content_type);
}

void admin_server::state::serve(const httplib::Request& in, httplib::Response& out) {
  const auto begin = std::chrono::steady_clock::now();
  exchange x{take(in), nullptr};
  const request ids = x.req;
  auto answer = choose(in, x);
  request_info info;
  info.method = in.method;
  info.route = x.target != nullptr ? x.target->pattern : std::string();
  info.status = answer.status;
  info.bytes_in = in.body.size();
  info.request_id = ids.request_id;
  info.trace = ids.trace;
  info.code = answer.problem_body ? answer.problem_body->code : std::string();
  send(std::move(answer), x.req.path, ids, out);
  info.bytes_out = out.body.size();
  info.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (observe)
    observe(info);
}

void admin_server::state::refuse(const httplib::Request& in, httplib::Response& out) {
  // What the library refuses itself: unreadable, too large. Answers of our own have a type or no body already.
  if (out.has_header("X-Request-Id"))
    return;
  const int status = out.status < 400 ? 500 : out.status;
  send(response::problem(status, status == 413 ? "too_large" : "malformed", "the request cannot be read"), in.path,
       take(in), out);
}

admin_server::admin_server(admin_config config, std::vector<route> routes, random_source& random,
                           request_observer observe) :
  state_(std::make_unique<state>(std::move(config), std::move(routes), random, std::move(observe))) {
  auto* s = state_.get();
  const auto serve = [s](const httplib::Request& in, httplib::Response& out) {
    s->serve(in, out);
  };
  const std::string any = R"([\s\S]*)";
  s->http.Get(any, serve);
  s->http.Post(any, serve);
  s->http.Put(any, serve);
  s->http.Patch(any, serve);
  s->http.Delete(any, serve);
  s->http.Options(any, serve);
  s->http.set_error_handler([s](const httplib::Request& in, httplib::Response& out) { s->refuse(in, out); });
  s->http.set_payload_max_length(body_bytes_max);
  s->http.set_tcp_nodelay(true);
  s->http.new_task_queue = [n = s->config.threads] {
    return new httplib::ThreadPool(static_cast<std::size_t>(n));
  };
}

admin_server::~admin_server() {
  stop();
}

result<std::uint16_t> admin_server::start() {
  auto& s = *state_;
  int port = s.config.port;
  if (port == 0)
    port = s.http.bind_to_any_port(s.config.host);
  else if (!s.http.bind_to_port(s.config.host, port))
    port = -1;
  if (port <= 0)
    return error{ec::conflict, "cannot listen on " + s.config.host + ":" + std::to_string(s.config.port), "admin.port"};
  s.thread = std::thread([&s] { s.http.listen_after_bind(); });
  s.http.wait_until_ready();
  return static_cast<std::uint16_t>(port);
}

void admin_server::stop() {
  if (!state_->thread.joinable())
    return;
  state_->http.stop();
  state_->thread.join();
}

} // namespace pulse::http
