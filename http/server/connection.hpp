// One accepted socket, plain or TLS, behind one interface, so that a session is compiled once. Internal to
// http/server. All calls and callbacks on the connection's strand.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>

namespace pulse::http {

namespace asio = boost::asio;

class connection {
public:
  using done = std::function<void(boost::system::error_code, std::size_t)>;

  virtual ~connection() = default;

  /// The TLS handshake; at once for a plain one.
  virtual void handshake(done handler) = 0;
  /// At most one read and one write at a time. A closed peer is asio::error::eof.
  virtual void read(asio::mutable_buffer into, done handler) = 0;
  /// All bytes or an error. They stay the caller's until then.
  virtual void write(std::array<asio::const_buffer, 2> bytes, done handler) = 0;
  virtual void shutdown_send(done handler) = 0;

  virtual asio::ip::tcp::socket& socket() = 0;

  /// The pending read and write end with operation_aborted.
  void cancel();
  void close();
};

/// `tls` null: plain.
std::unique_ptr<connection> make_connection(asio::ip::tcp::socket socket, asio::ssl::context* tls);

} // namespace pulse::http
