// The admin listener on a real socket: tokens, the same handlers as the gateway, problems for every error.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>
#include <thread>

#include "http/admin/admin_server.hpp"
#include "http/handlers/health.hpp"
#include "tests/support/raw_client.hpp"

using namespace pulse;
using namespace pulse::http;

namespace {

struct admin_fixture {
  admin_server under_test{config(), routes(), system_random()};
  std::uint16_t port = under_test.start().value();
  std::vector<std::thread> late;

  ~admin_fixture() {
    for (auto& t : late)
      t.join();
  }

  static admin_config config() {
    admin_config out;
    out.port = 0;
    out.admin_token = "admin-secret";
    out.metrics_token = "metrics-secret";
    out.handler_timeout_ms = 300;
    return out;
  }

  std::vector<route> routes() {
    auto out = health_routes([]() -> result<void> { return error{ec::unavailable, "no database", ""}; });
    route metrics;
    metrics.method = "GET";
    metrics.pattern = "/metrics";
    metrics.needed = scope::read;
    metrics.handle = [](const request&, const responder& respond) {
      respond(response::text(200, "up 1\n"));
    };
    out.push_back(metrics);
    route tenants = metrics;
    tenants.method = "POST";
    tenants.needed = scope::admin;
    tenants.pattern = "/admin/v1/tenants/{id}";
    tenants.handle = [this](const request& r, const responder& respond) {
      late.emplace_back([respond, text = std::string(r.param("id")) + r.body] { respond(response::text(201, text)); });
    };
    out.push_back(tenants);
    route never = tenants;
    never.pattern = "/admin/v1/never";
    never.handle = [this](const request&, const responder& respond) {
      kept.push_back(respond);
    };
    out.push_back(never);
    return out;
  }

  test::raw_answer ask(const std::string& line, const std::string& token, const std::string& body = {}) const {
    test::raw_client c(port);
    c.send(line + " HTTP/1.1\r\nHost: a\r\n" + (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") +
           "Connection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return c.receive().value_or(test::raw_answer{});
  }

  std::vector<responder> kept;
};

std::string code_of(const test::raw_answer& a) {
  REQUIRE(a.headers.at("content-type") == "application/problem+json");
  const auto body = nlohmann::json::parse(a.body);
  CHECK(body["status"] == a.status);
  CHECK(body["request_id"] == a.headers.at("x-request-id"));
  return body["code"];
}

} // namespace

TEST_CASE_METHOD(admin_fixture, "each token opens its own routes", "[http][admin]") {
  CHECK(ask("GET /healthz", "").status == 200);
  CHECK(ask("GET /readyz", "").status == 503);
  CHECK(ask("GET /metrics", "metrics-secret").body == "up 1\n");
  CHECK(ask("GET /metrics", "admin-secret").status == 200);
  CHECK(code_of(ask("GET /metrics", "")) == "unauthorized");
  CHECK(code_of(ask("GET /metrics", "metrics-secre")) == "unauthorized");
  CHECK(code_of(ask("POST /admin/v1/tenants/7", "metrics-secret")) == "forbidden");
  const auto made = ask("POST /admin/v1/tenants/a%2Fb", "admin-secret", "{}");
  CHECK(made.status == 201);
  CHECK(made.body == "a/b{}");
}

TEST_CASE_METHOD(admin_fixture, "errors of the admin listener are problems", "[http][admin]") {
  CHECK(code_of(ask("GET /nowhere", "admin-secret")) == "not_found");
  const auto wrong = ask("DELETE /metrics", "admin-secret");
  CHECK(code_of(wrong) == "method_not_allowed");
  CHECK(wrong.headers.at("allow") == "GET, HEAD, OPTIONS");
  CHECK(code_of(ask("POST /admin/v1/never", "admin-secret")) == "timeout");
  kept.at(0)(response::text(200, "late"));
  CHECK(code_of(ask("NONSENSE /metrics", "admin-secret")) == "malformed");
  CHECK(code_of(ask("POST /admin/v1/tenants/7", "admin-secret", std::string(5U << 20, 'x'))) == "too_large");
}
