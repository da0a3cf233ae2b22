// The description of the routes: well-formed, whole in itself, and comparable with the router both ways.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "http/handlers/health.hpp"
#include "http/handlers/openapi.hpp"

using namespace pulse;
using namespace pulse::http;

namespace {

void collect_refs(const nlohmann::json& node, std::set<std::string>& out) {
  if (node.is_object() && node.contains("$ref"))
    out.insert(node["$ref"]);
  if (node.is_structured())
    for (const auto& child : node)
      collect_refs(child, out);
}

} // namespace

TEST_CASE("the document is OpenAPI 3.1 and every reference in it leads somewhere", "[http][openapi]") {
  const auto document = nlohmann::json::parse(openapi_document());
  CHECK(document["openapi"] == "3.1.0");
  std::set<std::string> refs;
  collect_refs(document, refs);
  for (const auto& ref : refs)
    CHECK(document.contains(nlohmann::json::json_pointer(ref.substr(1))));
  std::set<std::string> ids;
  for (const auto& [path, operations] : document["paths"].items())
    for (const auto& [method, operation] : operations.items())
      CHECK(ids.insert(operation.at("operationId")).second);
}

TEST_CASE("routes and document are held against each other both ways", "[http][openapi]") {
  auto routes = health_routes([]() -> result<void> { return {}; });
  for (auto& r : openapi_routes())
    routes.push_back(std::move(r));
  route extra;
  extra.method = "GET";
  extra.pattern = "/v1/nowhere";
  routes.push_back(extra);
  extra.pattern = "/v1/limits";
  routes.push_back(extra);
  const auto differences = compare_with_openapi(routes);
  const std::set<std::string> all(differences.begin(), differences.end());
  CHECK(all.contains("undocumented GET /v1/nowhere"));
  CHECK(all.contains("scope of GET /v1/limits: 'read' in the document, 'admin' in the route"));
  CHECK(all.contains("missing POST /v1/track"));
  CHECK_FALSE(all.contains("missing GET /healthz"));
}
