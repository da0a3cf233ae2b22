#include "http/server/connection.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

namespace pulse::http {

namespace {

class plain_connection final : public connection {
public:
  explicit plain_connection(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {
  }

  void handshake(done handler) override {
    asio::post(socket_.get_executor(), [handler = std::move(handler)] { handler({}, 0); });
  }

  void read(asio::mutable_buffer into, done handler) override {
    socket_.async_read_some(into, std::move(handler));
  }

  void write(std::array<asio::const_buffer, 2> bytes, done handler) override {
    asio::async_write(socket_, bytes, std::move(handler));
  }

  void shutdown_send(done handler) override {
    boost::system::error_code e;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, e);
    handler(e, 0);
  }

  asio::ip::tcp::socket& socket() override {
    return socket_;
  }

private:
  asio::ip::tcp::socket socket_;
};

class tls_connection final : public connection {
public:
  tls_connection(asio::ip::tcp::socket socket, asio::ssl::context& tls) : stream_(std::move(socket), tls) {
  }

  void handshake(done handler) override {
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [handler = std::move(handler)](boost::system::error_code e) { handler(e, 0); });
  }

  void read(asio::mutable_buffer into, done handler) override {
    stream_.async_read_some(into, std::move(handler));
  }

  void write(std::array<asio::const_buffer, 2> bytes, done handler) override {
    asio::async_write(stream_, bytes, std::move(handler));
  }

  void shutdown_send(done handler) override {
    stream_.async_shutdown([handler = std::move(handler)](boost::system::error_code e) { handler(e, 0); });
  }

  asio::ip::tcp::socket& socket() override {
    return stream_.next_layer();
  }

private:
  asio::ssl::stream<asio::ip::tcp::socket> stream_;
};

} // namespace

void connection::cancel() {
  boost::system::error_code e;
  socket().cancel(e);
}

void connection::close() {
  boost::system::error_code e;
  socket().close(e);
}

std::unique_ptr<connection> make_connection(asio::ip::tcp::socket socket, asio::ssl::context* tls) {
  if (tls != nullptr)
    return std::make_unique<tls_connection>(std::move(socket), *tls);
  return std::make_unique<plain_connection>(std::move(socket));
}

} // namespace pulse::http
