#include "http/handlers/openapi.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "base/embedded.hpp"

namespace pulse::http {

namespace {

std::string upper(std::string text) {
  for (auto& c : text)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

/// `ingest`, `ingest+publishable`, or nothing for a route without a key.
std::string right_of(const route& r) {
  if (r.keyless)
    return {};
  return std::string(to_string(r.needed)) + (r.publishable ? "+publishable" : "");
}

std::string right_of(const nlohmann::json& operation) {
  return operation.value("x-scope", "") + (operation.value("x-publishable", false) ? "+publishable" : "");
}

} // namespace

const std::string& openapi_document() {
  static const std::string text = [] {
    for (const auto& file : embedded_http()) {
      if (file.name != "openapi.yaml")
        continue;
      auto content = std::string(file.content);
      while (content.starts_with('#'))
        content.erase(0, content.find('\n') + 1);
      return content;
    }
    PULSE_ASSERT(false, "openapi.yaml is compiled in");
    return std::string();
  }();
  return text;
}

std::vector<route> openapi_routes() {
  route r;
  r.method = "GET";
  r.pattern = "/openapi.json";
  r.keyless = true;
  r.handle = [](const request&, const responder& respond) {
    respond(response::json(200, openapi_document()));
  };
  return {r};
}

std::vector<std::string> compare_with_openapi(const std::vector<route>& routes) {
  std::map<std::string, std::string> documented;
  const auto document = nlohmann::json::parse(openapi_document());
  for (const auto& [path, operations] : document.at("paths").items())
    for (const auto& [method, operation] : operations.items())
      documented[upper(method) + " " + path] = right_of(operation);
  std::vector<std::string> out;
  for (const auto& r : routes) {
    const auto name = r.method + " " + r.pattern;
    const auto at = documented.find(name);
    if (at == documented.end())
      out.push_back("undocumented " + name);
    else if (at->second != right_of(r))
      out.push_back("scope of " + name + ": '" + at->second + "' in the document, '" + right_of(r) + "' in the route");
    if (at != documented.end())
      documented.erase(at);
  }
  for (const auto& [name, right] : documented)
    out.push_back("missing " + name);
  return out;
}

} // namespace pulse::http
