// One connection: reads requests one after the other, has each checked and handled, and answers. Pipelined requests
// wait in the socket until the one before them is answered. Internal to http/server.
// Everything but begin(), deadline() and the responder runs on the connection's strand.
#pragma once

#include <atomic>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <optional>
#include <string>

#include "http/middleware/body_codec.hpp"
#include "http/middleware/head_check.hpp"
#include "http/server/connection.hpp"
#include "http/server/core.hpp"

namespace pulse::http {

class session : public std::enable_shared_from_this<session> {
public:
  session(std::shared_ptr<core> owner, std::unique_ptr<connection> link, ip_address peer);
  ~session();

  void begin();

  /// steady_ms() after which expire() is to be called.
  std::int64_t deadline() const {
    return deadline_.load(std::memory_order_relaxed);
  }

  /// From any thread.
  void expire();
  void close_if_idle();
  void force_close();
  void answer(std::uint64_t number, response r);

private:
  using parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  enum class phase : std::uint8_t { head, body, check, handler, write, linger, closed };

  /// One request and its answer.
  struct exchange {
    request req;
    const route* target = nullptr;
    body_coding coding = body_coding::identity;
    /// Kept for the answer; the request itself goes to the handler.
    std::string method;
    std::string path;
    std::string request_id;
    std::string traceparent;
    trace_id trace;
    std::optional<tenant_id> tenant;
    std::string cors_methods;
    std::int64_t started_us = 0;
    std::size_t bytes_in = 0;
    std::size_t reserved = 0;
    bool authenticated = false;
    bool continue_wanted = false;
    bool keep_alive = false;
    bool cors = false;
    bool counted = false;
  };

  // Reading: session_read.cpp.
  void next_request();
  void scan_head();
  void read_more(std::size_t bytes_max);
  void on_read(boost::system::error_code e, std::size_t n);
  void on_head(std::size_t size);
  void take_head();
  /// An answer that ends the request early; nothing when it may go on.
  std::optional<response> choose_route();
  std::optional<response> check_head_fields();
  response preflight(const router::match& m) const;

  // Key, body, handler: session_body.cpp.
  void check_key();
  void check_key_text(std::string_view key);
  void on_key(result<principal> who);
  void read_body();
  void feed_body();
  void on_body();
  void invoke();

  // Answering: session_write.cpp.
  void fail(int status, std::string code, std::string detail);
  void reply(response r);
  void write(response r, bool close);
  std::string render_head(response& r, bool close) const;
  void add_cors(response& r) const;
  void on_written(boost::system::error_code e, bool close);
  void report(const response& r, std::size_t bytes_out);
  void linger();
  void discard();
  void close();
  void end_exchange();

  bool body_pending() const;
  bool reserve(std::size_t n);
  void set_deadline(std::int64_t after_ms);

  // First, so that the event loop outlives the socket.
  std::shared_ptr<core> core_;
  std::unique_ptr<connection> link_;
  ip_address peer_;
  phase phase_ = phase::head;
  std::atomic<std::int64_t> deadline_{INT64_MAX};
  boost::beast::flat_buffer buffer_;
  std::size_t scanned_ = 0;
  std::size_t discarded_ = 0;
  std::optional<parser> parser_;
  exchange now_;
  /// Tells a late answer from the one that is waited for.
  std::uint64_t number_ = 0;
  bool timed_out_ = false;
  std::string out_head_;
  std::string out_body_;
};

} // namespace pulse::http
