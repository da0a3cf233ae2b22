// The admin listener: the console, the CLI and the monitoring speak to it, few and trusted, on loopback unless set
// otherwise. Same routes and handlers as the gateway, but tokens instead of API keys, and a thread for each request.
// Lifecycle: construct, start, stop, destroy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "http/middleware/message.hpp"

namespace pulse::http {

struct admin_config {
  std::string host = "127.0.0.1";
  /// 0: any free one; start() tells which.
  std::uint16_t port = 8081;
  /// Opens every route. Empty: no token does.
  std::string admin_token;
  /// Opens routes that need `scope::read` alone, which is /metrics; every other route of this listener needs
  /// `scope::admin`.
  std::string metrics_token;
  std::int64_t handler_timeout_ms = 30'000;
  int threads = 8;
};

class admin_server {
public:
  admin_server(admin_config config, std::vector<route> routes, random_source& random, request_observer observe = {});
  ~admin_server();
  admin_server(const admin_server&) = delete;
  admin_server& operator=(const admin_server&) = delete;

  /// Binds and starts the threads; the bound port. `conflict` when it cannot listen there.
  result<std::uint16_t> start();

  /// Takes nothing new, waits for what is being answered. Safe to call twice.
  void stop();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace pulse::http
