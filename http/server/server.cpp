#include "http/server/server.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <sys/resource.h>

#include "http/middleware/request_context.hpp"
#include "http/server/core.hpp"
#include "http/server/session.hpp"

namespace pulse::http {

namespace {

using tcp = asio::ip::tcp;

constexpr auto sweep_interval = std::chrono::milliseconds(100);
constexpr auto accept_pause = std::chrono::milliseconds(50);
constexpr std::int64_t drain_grace_ms = 500;
/// Files, databases and the log need some too.
constexpr std::size_t spare_files = 256;

/// Connections that the process may hold, after raising its soft limit to the hard one.
std::size_t allowed_connections(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return wanted;
  const auto needed = static_cast<rlim_t>(wanted + spare_files);
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min(needed, limit.rlim_max);
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
  }
  const auto files = static_cast<std::size_t>(limit.rlim_cur);
  return std::min(wanted, files > 2 * spare_files ? files - spare_files : files / 2);
}

result<asio::ssl::context> make_tls(const server_config& c) {
  asio::ssl::context out(asio::ssl::context::tls_server);
  boost::system::error_code e;
  out.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                      asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_compression,
                  e);
  out.use_certificate_chain_file(c.tls_cert, e);
  if (e)
    return error{ec::invalid, "the TLS certificate " + c.tls_cert + " cannot be used: " + e.message(), "http.tls_cert"};
  out.use_private_key_file(c.tls_key, asio::ssl::context::pem, e);
  if (e)
    return error{ec::invalid, "the TLS key " + c.tls_key + " cannot be used: " + e.message(), "http.tls_key"};
  return out;
}

} // namespace

std::int64_t steady_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

core::core(server_config c, std::vector<route> list, std::shared_ptr<key_gate> g, random_source& r,
           request_observer o) :
  loop(c.io_threads),
  config(std::move(c)),
  routes(std::move(list)),
  gate(std::move(g)),
  random(r),
  observe(std::move(o)),
  bytes(config.in_flight_bytes_max) {
}

result<std::uint16_t> core::listen() {
  if (!config.tls_cert.empty() || !config.tls_key.empty()) {
    auto context = make_tls(config);
    if (!context)
      return context.err();
    tls.emplace(std::move(*context));
  }
  config.connections_max = allowed_connections(config.connections_max);
  boost::system::error_code e;
  const auto address = asio::ip::make_address(config.host == "localhost" ? "127.0.0.1" : config.host, e);
  if (e)
    return error{ec::invalid, config.host + " is no address to listen on", "http.host"};
  const tcp::endpoint where(address, config.port);
  acceptor.open(where.protocol(), e);
  if (!e)
    acceptor.set_option(tcp::acceptor::reuse_address(true), e);
  if (!e)
    acceptor.bind(where, e);
  if (!e)
    acceptor.listen(1024, e);
  if (e)
    return error{ec::conflict,
                 "cannot listen on " + config.host + ":" + std::to_string(config.port) + ": " + e.message(),
                 "http.port"};
  return acceptor.local_endpoint().port();
}

void core::accept_next() {
  acceptor.async_accept(asio::make_strand(loop),
                        [this](boost::system::error_code e, tcp::socket socket) { accepted(e, std::move(socket)); });
}

void core::accepted(boost::system::error_code e, tcp::socket socket) {
  if (e == asio::error::operation_aborted || draining)
    return;
  if (e) {
    // Out of descriptors: trying again at once would burn a core without helping.
    accept_timer.expires_after(accept_pause);
    accept_timer.async_wait([this](boost::system::error_code cancelled) {
      if (!cancelled)
        accept_next();
    });
    return;
  }
  boost::system::error_code ignored;
  const auto peer = socket.remote_endpoint(ignored);
  auto address = ip_address::from(*peer.data());
  socket.set_option(tcp::no_delay(true), ignored);
  std::unique_lock lock(mutex);
  if (sessions.size() >= config.connections_max || !address) {
    lock.unlock();
    refuse(std::move(socket));
  } else {
    auto s = std::make_shared<session>(shared_from_this(), make_connection(std::move(socket), tls ? &*tls : nullptr),
                                       *address);
    sessions.emplace(s.get(), s);
    lock.unlock();
    s->begin();
  }
  accept_next();
}

void core::refuse(tcp::socket socket) {
  boost::system::error_code e;
  if (!tls) {
    auto answer = response::problem(503, "unavailable", "too many connections");
    const auto trace = take_traceparent({}, random);
    finish_response(answer, "", take_request_id({}, random), trace.traceparent);
    std::string text = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n";
    for (const auto& [name, value] : answer.headers.fields())
      text += name + ": " + value + "\r\n";
    text += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
    socket.non_blocking(true, e);
    socket.write_some(asio::buffer(text), e);
  }
  socket.shutdown(tcp::socket::shutdown_send, e);
  socket.close(e);
}

void core::sweep_later() {
  sweep_timer.expires_after(sweep_interval);
  sweep_timer.async_wait([this](boost::system::error_code e) {
    // Cancelling does not reach a wait that is over.
    if (e || ended)
      return;
    sweep();
    sweep_later();
  });
}

void core::sweep() {
  std::vector<std::shared_ptr<session>> late;
  {
    const auto now = steady_ms();
    const std::lock_guard lock(mutex);
    for (const auto& [raw, weak] : sessions)
      if (auto s = raw->deadline() <= now ? weak.lock() : nullptr)
        late.push_back(std::move(s));
  }
  for (const auto& s : late)
    s->expire();
  if (gate)
    gate->tick();
}

void core::close_idle() {
  for (const auto& s : all_sessions())
    s->close_if_idle();
}

void core::close_all() {
  for (const auto& s : all_sessions())
    s->force_close();
}

std::vector<std::shared_ptr<session>> core::all_sessions() const {
  std::vector<std::shared_ptr<session>> out;
  const std::lock_guard lock(mutex);
  out.reserve(sessions.size());
  for (const auto& [raw, weak] : sessions)
    if (auto s = weak.lock())
      out.push_back(std::move(s));
  return out;
}

void core::leave(session* s) {
  const std::lock_guard lock(mutex);
  sessions.erase(s);
}

server::server(server_config config, std::vector<route> routes, std::shared_ptr<key_gate> gate, random_source& random,
               request_observer observe) :
  core_(std::make_shared<core>(std::move(config), std::move(routes), std::move(gate), random, std::move(observe))) {
}

result<std::uint16_t> server::start() {
  auto port = core_->listen();
  if (!port)
    return port;
  core_->accept_next();
  core_->sweep_later();
  for (int i = 0; i < std::max(1, core_->config.io_threads); ++i)
    core_->threads.emplace_back([c = core_.get()] { c->loop.run(); });
  return port;
}

bool server::drain(std::int64_t deadline_ms) {
  core_->draining = true;
  asio::post(core_->door, [c = core_] {
    boost::system::error_code e;
    c->acceptor.close(e);
    c->accept_timer.cancel();
    c->close_idle();
  });
  const auto end = steady_ms() + deadline_ms;
  auto busy = steady_ms();
  while (load().connections > 0 && steady_ms() < end) {
    // Who has half a request sent when all others are done gets a moment, not the whole deadline.
    if (load().requests > 0)
      busy = steady_ms();
    else if (steady_ms() - busy > drain_grace_ms)
      break;
    else
      core_->close_idle();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  const bool whole = load().requests == 0;
  core_->close_all();
  return whole;
}

bool server::draining() const {
  return core_->draining;
}

server_load server::load() const {
  const std::lock_guard lock(core_->mutex);
  return {core_->sessions.size(), core_->requests, core_->bytes.used()};
}

server::~server() {
  core_->draining = true;
  asio::post(core_->door, [c = core_.get()] {
    boost::system::error_code e;
    c->ended = true;
    c->acceptor.close(e);
    c->accept_timer.cancel();
    c->sweep_timer.cancel();
    c->close_all();
  });
  for (auto& t : core_->threads)
    t.join();
  // Sessions closed above end their last operations here, so that nothing in the loop holds what holds the loop.
  core_->loop.restart();
  core_->loop.poll();
  core_->stopped = true;
}

} // namespace pulse::http
