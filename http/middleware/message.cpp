#include "http/middleware/message.hpp"

#include <algorithm>
#include <atomic>
#include <fmt/format.h>
#include <memory>
#include <nlohmann/json.hpp>

namespace pulse::http {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string render_problem(const problem_details& p, std::string_view instance, std::string_view request_id) {
  nlohmann::ordered_json out{{"type", "urn:pulse:problem:" + p.code},
                             {"title", p.title},
                             {"status", p.status},
                             {"detail", p.detail},
                             {"instance", instance},
                             {"code", p.code},
                             {"request_id", request_id}};
  if (!p.errors.empty()) {
    auto& list = out["errors"] = nlohmann::ordered_json::array();
    for (const auto& item : p.errors)
      list.push_back({{"pointer", item.pointer}, {"code", item.code}, {"detail", item.detail}});
  }
  // A detail may quote what the client sent: bytes that are no UTF-8 must not make the answer fail.
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// Shared by all copies of one responder.
class one_answer {
public:
  explicit one_answer(std::function<void(response)> give) : give_(std::move(give)) {
  }

  one_answer(const one_answer&) = delete;
  one_answer& operator=(const one_answer&) = delete;

  ~one_answer() {
    give(response::problem(500, "internal", "the request was not answered"));
  }

  void give(response r) {
    if (!given_.exchange(true))
      give_(std::move(r));
  }

private:
  std::function<void(response)> give_;
  std::atomic<bool> given_{false};
};

} // namespace

responder answer_once(std::function<void(response)> give) {
  return [once = std::make_shared<one_answer>(std::move(give))](response r) {
    once->give(std::move(r));
  };
}

bool equal_no_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

void header_list::set(std::string_view name, std::string value) {
  std::erase_if(fields_, [&](const auto& field) { return equal_no_case(field.first, name); });
  add(std::string(name), std::move(value));
}

std::string_view header_list::find(std::string_view name) const {
  for (const auto& [key, value] : fields_)
    if (equal_no_case(key, name))
      return value;
  return {};
}

bool header_list::has(std::string_view name) const {
  return count(name) > 0;
}

std::size_t header_list::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(fields_.begin(), fields_.end(),
                                                [&](const auto& field) { return equal_no_case(field.first, name); }));
}

std::optional<std::string_view> request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query)
    if (key == name)
      return value;
  return std::nullopt;
}

std::string_view request::param(std::string_view name) const {
  for (const auto& [key, value] : params)
    if (key == name)
      return value;
  return {};
}

response response::json(int status, std::string body) {
  response out;
  out.status = status;
  out.content_type = "application/json";
  out.body = std::move(body);
  return out;
}

response response::text(int status, std::string body) {
  response out;
  out.status = status;
  out.content_type = "text/plain; charset=utf-8";
  out.body = std::move(body);
  return out;
}

response response::empty(int status) {
  response out;
  out.status = status;
  return out;
}

response response::problem(const error& e) {
  auto out = problem(http_status(e.code), std::string(to_string(e.code)), e.detail);
  if (!e.pointer.empty())
    out.problem_body->errors.push_back({e.pointer, std::string(to_string(e.code)), e.detail});
  return out;
}

response response::problem(int status, std::string code, std::string detail) {
  response out;
  out.status = status;
  out.content_type = "application/problem+json";
  out.problem_body =
      problem_details{status, std::move(code), std::string(reason_phrase(status)), std::move(detail), {}};
  return out;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return status < 400 ? "OK" : "Error";
  }
}

void finish_response(response& answer, std::string_view instance, std::string_view request_id,
                     std::string_view traceparent) {
  if (answer.problem_body)
    answer.body = render_problem(*answer.problem_body, instance, request_id);
  if (!answer.content_type.empty())
    answer.headers.set("Content-Type", answer.content_type);
  answer.headers.set("X-Request-Id", std::string(request_id));
  answer.headers.set("traceparent", std::string(traceparent));
  if (!answer.retry_after_s && (answer.status == 429 || answer.status == 503))
    answer.retry_after_s = 1;
  if (answer.retry_after_s)
    answer.headers.set("Retry-After", std::to_string(*answer.retry_after_s));
  if (answer.status == 401)
    answer.headers.set("WWW-Authenticate", "Bearer realm=\"pulse\", Basic realm=\"pulse\"");
  if (answer.rate) {
    const auto& r = *answer.rate;
    answer.headers.set("RateLimit-Policy", fmt::format("\"tenant\";q={};w={}", r.quota, r.window_s));
    answer.headers.set("RateLimit", fmt::format("\"tenant\";r={};t={}", r.remaining, r.reset_s));
    answer.headers.set("X-RateLimit-Limit", std::to_string(r.quota));
    answer.headers.set("X-RateLimit-Remaining", std::to_string(r.remaining));
    answer.headers.set("X-RateLimit-Reset", std::to_string(r.reset_s));
  }
}

} // namespace pulse::http
