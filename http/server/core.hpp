// What the server's sessions share. Internal to http/server. Lives until the last session and the last unanswered
// responder are gone, so that a late answer never meets a destroyed event loop.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "http/middleware/pooled_random.hpp"
#include "http/middleware/router.hpp"
#include "http/server/connection.hpp"
#include "http/server/server.hpp"

namespace pulse::http {

class session;

/// Bytes of bodies in work. Taken in small steps as bytes arrive, not as announced: a promise costs no memory.
class byte_budget {
public:
  explicit byte_budget(std::size_t max) : max_(max) {
  }

  bool take(std::size_t n) {
    if (used_.fetch_add(n) + n <= max_)
      return true;
    used_.fetch_sub(n);
    return false;
  }

  void give_back(std::size_t n) {
    used_.fetch_sub(n);
  }

  std::size_t used() const {
    return used_.load();
  }

private:
  std::size_t max_;
  std::atomic<std::size_t> used_{0};
};

struct core : std::enable_shared_from_this<core> {
  core(server_config c, std::vector<route> routes, std::shared_ptr<key_gate> g, random_source& r, request_observer o);

  result<std::uint16_t> listen();
  void accept_next();
  void accepted(boost::system::error_code e, asio::ip::tcp::socket socket);
  void refuse(asio::ip::tcp::socket socket);

  /// Every 100 ms: ends what is too late. One timer for all sockets: ten thousand of their own cost more.
  void sweep_later();
  void sweep();
  void close_idle();
  void close_all();

  void leave(session* s);
  /// Held by the caller outside the lock: the last owner of a session takes the lock when it lets go.
  std::vector<std::shared_ptr<session>> all_sessions() const;

  // First, so that it is destroyed last.
  asio::io_context loop;
  server_config config;
  http::router routes;
  std::shared_ptr<key_gate> gate;
  pooled_random random;
  request_observer observe;
  std::optional<asio::ssl::context> tls;
  /// Whoever touches the acceptor or a timer runs here: they are not made for two threads, and what ends the server
  /// must come after the accept or the sweep that is under way, or before it, never between its steps.
  asio::strand<asio::io_context::executor_type> door{loop.get_executor()};
  asio::ip::tcp::acceptor acceptor{door};
  asio::steady_timer sweep_timer{door};
  asio::steady_timer accept_timer{door};
  /// On the strand: nothing is begun any more.
  bool ended = false;
  byte_budget bytes;
  std::atomic<bool> draining{false};
  std::atomic<bool> stopped{false};
  std::atomic<std::size_t> requests{0};
  mutable std::mutex mutex;
  std::unordered_map<session*, std::weak_ptr<session>> sessions;
  std::vector<std::thread> threads;
};

/// Milliseconds of the steady clock; the server's deadlines are kept in it.
std::int64_t steady_ms();

} // namespace pulse::http
