#include "http/handlers/health.hpp"

#include <nlohmann/json.hpp>

namespace pulse::http {

std::vector<route> health_routes(std::function<result<void>()> ready, std::function<spill_note()> spilled) {
  route alive;
  alive.method = "GET";
  alive.pattern = "/healthz";
  alive.keyless = true;
  alive.handle = [](const request&, const responder& respond) {
    respond(response::json(200, R"({"status":"ok"})"));
  };
  route willing = alive;
  willing.pattern = "/readyz";
  willing.handle = [ready = std::move(ready), spilled = std::move(spilled)](const request&, const responder& respond) {
    if (const auto r = ready(); !r) {
      respond(response::problem(503, "unavailable", "not ready: " + r.err().detail));
      return;
    }
    nlohmann::ordered_json body = {{"status", "ready"}};
    if (spilled) {
      const auto s = spilled();
      body["spill"] = {{"events", s.events}, {"bytes", s.bytes}};
    }
    respond(response::json(200, body.dump()));
  };
  return {alive, willing};
}

} // namespace pulse::http
