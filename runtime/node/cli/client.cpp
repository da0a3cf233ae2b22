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

result<json> client::call(const std::string& method, const std::string& path, const json& body) const {
  httplib::Client http(admin_url_);
  http.set_connection_timeout(3);
  http.set_read_timeout(60);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.headers = {{"Authorization", "Bearer " + token_}};
  if (!body.is_null()) {
    request.body = body.dump();
    request.headers.emplace("Content-Type", "application/json");
  }
  const auto answer = http.send(request);
  if (!answer)
    return error{ec::unavailable,
                 fmt::format("{} does not answer ({}); is the node running? start it with scripts/run", admin_url_,
                             httplib::to_string(answer.error())),
                 ""};
  auto parsed = answer->body.empty() ? json(nullptr) : json::parse(answer->body, nullptr, false);
  if (answer->status >= 400) {
    const auto detail =
        parsed.is_object() ? parsed.value("detail", parsed.value("title", "")) : answer->body.substr(0, 200);
    return error{answer->status == 404   ? ec::not_found
                 : answer->status >= 500 ? ec::unavailable
                                         : ec::invalid,
                 fmt::format("{} {}: {}", answer->status, path, detail), ""};
  }
  return parsed;
}

} // namespace pulse::cli
