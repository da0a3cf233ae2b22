// The public gateway: an event loop on a few threads that turns bytes into requests for the routes' handlers, and
// refuses what is too big, too slow, too odd or not allowed. No Boost header is needed to use it.
// Lifecycle: construct, start, drain (SIGTERM), destroy. One per process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/net.hpp"
#include "base/time.hpp"
#include "http/middleware/key_gate.hpp"
#include "http/middleware/message.hpp"

namespace pulse::http {

struct server_config {
  std::string host = "127.0.0.1";
  /// 0: any free one; start() tells which.
  std::uint16_t port = 8080;
  int io_threads = 2;
  /// PEM files; both empty: plain HTTP.
  std::string tls_cert;
  std::string tls_key;
  /// Proxies whose X-Forwarded-For is believed.
  std::vector<cidr> trusted_proxies;
  /// Over this a connection is told 503 and closed. Start lowers it to what the process may open.
  std::size_t connections_max = 10'000;
  /// Bodies being read, unpacked or handled; over it 503.
  std::size_t in_flight_bytes_max = 256U << 20;
  std::size_t header_bytes_max = 16U << 10;
  std::size_t inflate_ratio_max = 100;
  /// From a request's first byte to the end of its head; 408.
  std::int64_t header_timeout_ms = 10'000;
  /// From there to the end of its body; 408.
  std::int64_t body_timeout_ms = 30'000;
  /// Between two requests of a connection; closed without a word.
  std::int64_t idle_timeout_ms = 60'000;
  /// For the handler (and the key's check); 503, outcome unknown.
  std::int64_t handler_timeout_ms = 30'000;
  /// For the answer to be taken, and a second more for every 64 KiB.
  std::int64_t write_timeout_ms = 30'000;
};

struct server_load {
  std::size_t connections = 0;
  std::size_t requests = 0;
  std::size_t in_flight_bytes = 0;
};

struct core;

class server {
public:
  /// `gate` may be null when every route is keyless. `random` is called from all I/O threads.
  server(server_config config, std::vector<route> routes, std::shared_ptr<key_gate> gate, random_source& random,
         request_observer observe = {});
  /// Closes what is still open; handlers may answer later, which does nothing.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Binds, listens and starts the threads; the bound port. `invalid` for a bad address or certificate, `conflict`
  /// for a port that is taken.
  result<std::uint16_t> start();

  /// No new connection, idle ones closed, answers carry `Connection: close`. Waits until all requests are answered or
  /// `deadline_ms` is over; true when none was cut off. From any thread but an I/O thread.
  bool drain(std::int64_t deadline_ms);

  /// From the call of drain() on; for /readyz.
  bool draining() const;

  server_load load() const;

private:
  std::shared_ptr<core> core_;
};

} // namespace pulse::http
