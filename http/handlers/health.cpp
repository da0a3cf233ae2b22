#include "http/handlers/health.hpp"

namespace pulse::http {

std::vector<route> health_routes(std::function<result<void>()> ready) {
  route alive;
  alive.method = "GET";
  alive.pattern = "/healthz";
  alive.keyless = true;
  alive.handle = [](const request&, const responder& respond) {
    respond(response::json(200, R"({"status":"ok"})"));
  };
  route willing = alive;
  willing.pattern = "/readyz";
  willing.handle = [ready = std::move(ready)](const request&, const responder& respond) {
    const auto r = ready();
    respond(r ? response::json(200, R"({"status":"ready"})")
              : response::problem(503, "unavailable", "not ready: " + r.err().detail));
  };
  return {alive, willing};
}

} // namespace pulse::http
