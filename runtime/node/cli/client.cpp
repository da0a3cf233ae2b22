#include "node/cli/client.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <httplib.h>

#include "node/files.hpp"

namespace pulse::cli {

std::string default_data_dir() {
  const char* set = std::getenv("PULSE_DATA_DIR");
  return set != nullptr && *set != 0 ? set : ".pulse";
}

std::string problem_text(const std::string& path, const reply& answer) {
  const auto& problem = answer.body;
  const auto text = [](const json& object, const char* name) {
    const auto it = object.is_object() ? object.find(name) : object.end();
    return object.is_object() && it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  auto detail = problem.is_string() ? problem.get<std::string>() : text(problem, "detail");
  if (detail.empty())
    detail = text(problem, "title");
  auto out = fmt::format("{} {}: {}", answer.status, path, detail);
  if (problem.is_object() && problem.contains("errors") && problem["errors"].is_array())
    for (const auto& e : problem["errors"])
      out += fmt::format("\n  {}: {}: {}", text(e, "pointer").empty() ? "/" : text(e, "pointer"), text(e, "code"),
                         text(e, "detail"));
  return out;
}

result<client> client::for_data_dir(const std::string& data_dir) {
  const auto addresses = read_file(data_dir + "/addresses.json");
  auto token = read_file(data_dir + "/admin-token");
  if (!addresses || !token)
    return error{
        ec::unavailable,
        fmt::format("no node has served from {}; start one with scripts/run, or name its directory with --data-dir",
                    data_dir),
        ""};
  while (!token->empty() && token->back() == '\n')
    token->pop_back();
  const auto parsed = json::parse(*addresses, nullptr, false);
  client out;
  out.admin_url_ = parsed.value("admin", "");
  out.public_url_ = parsed.value("http", "");
  out.token_ = *token;
  return out;
}

result<reply> client::send(const std::string& method, const std::string& path, const std::string& body) const {
  httplib::Client http(admin_url_);
  http.set_connection_timeout(3);
  http.set_read_timeout(60);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.headers = {{"Authorization", "Bearer " + token_}};
  if (!body.empty()) {
    request.body = body;
    request.headers.emplace("Content-Type", "application/json");
  }
  const auto answer = http.send(request);
  if (!answer)
    return error{ec::unavailable,
                 fmt::format("{} does not answer ({}); is the node running? start it with scripts/run", admin_url_,
                             httplib::to_string(answer.error())),
                 ""};
  reply out{answer->status, nullptr};
  if (!answer->body.empty())
    out.body = json::parse(answer->body, nullptr, false);
  if (out.body.is_discarded())
    out.body = answer->body.substr(0, 200);
  return out;
}

result<json> client::call(const std::string& method, const std::string& path, const json& body) const {
  auto answer = send(method, path, body.is_null() ? std::string() : body.dump());
  if (!answer)
    return answer.err();
  if (answer->failed())
    return error{answer->status == 404   ? ec::not_found
                 : answer->status >= 500 ? ec::unavailable
                                         : ec::invalid,
                 problem_text(path, *answer), ""};
  return std::move(answer->body);
}

} // namespace pulse::cli
