// Reading side of a session, first half: bytes -> head -> route.
#include <boost/asio/post.hpp>
#include <chrono>

#include "http/middleware/request_context.hpp"
#include "http/middleware/url.hpp"
#include "http/server/session.hpp"

namespace pulse::http {

namespace beast_http = boost::beast::http;

namespace {

constexpr std::size_t head_piece = 4U << 10;
/// A buffer that grew with a body is given back: ten thousand idle connections must stay small.
constexpr std::size_t idle_buffer_max = 16U << 10;

std::string_view view(const boost::beast::flat_buffer& buffer) {
  return {static_cast<const char*>(buffer.data().data()), buffer.size()};
}

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

bool has_bare_line_feed(std::string_view text) {
  for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    if (at == 0 || text[at - 1] != '\r')
      return true;
  return false;
}

} // namespace

void session::begin() {
  set_deadline(core_->config.header_timeout_ms);
  asio::post(link_->socket().get_executor(), [self = shared_from_this()] {
    self->link_->handshake([self](boost::system::error_code e, std::size_t) {
      if (e)
        self->close();
      else
        self->next_request();
    });
  });
}

void session::next_request() {
  end_exchange();
  now_ = exchange{};
  parser_.reset();
  scanned_ = 0;
  phase_ = phase::head;
  if (buffer_.size() == 0 && buffer_.capacity() > idle_buffer_max)
    buffer_.shrink_to_fit();
  if (core_->draining && buffer_.size() == 0 && number_ > 0) {
    close();
    return;
  }
  const bool idle = number_ > 0 && buffer_.size() == 0;
  ++number_;
  now_.started_us = steady_us();
  set_deadline(idle ? core_->config.idle_timeout_ms : core_->config.header_timeout_ms);
  scan_head();
}

void session::scan_head() {
  // RFC 9112 section 2.2: an empty line in front is skipped.
  if (scanned_ == 0 && view(buffer_).starts_with("\r\n"))
    buffer_.consume(2);
  const auto seen = view(buffer_);
  const auto from = scanned_ < 3 ? 0 : scanned_ - 3;
  const auto end = seen.find("\r\n\r\n", from);
  const auto head = end == std::string_view::npos ? seen : seen.substr(0, end + 4);
  if (head.size() > core_->config.header_bytes_max) {
    fail(431, "header_too_large", "the request's head is larger than the limit");
    return;
  }
  if (end != std::string_view::npos) {
    on_head(end + 4);
    return;
  }
  if (has_bare_line_feed(seen)) {
    fail(400, "malformed", "lines must end in CR LF");
    return;
  }
  scanned_ = seen.size();
  read_more(head_piece);
}

void session::read_more(std::size_t bytes_max) {
  link_->read(buffer_.prepare(bytes_max),
              [self = shared_from_this()](boost::system::error_code e, std::size_t n) { self->on_read(e, n); });
}

void session::on_read(boost::system::error_code e, std::size_t n) {
  if (phase_ == phase::closed)
    return;
  buffer_.commit(n);
  if (timed_out_) {
    fail(408, "timeout",
         phase_ == phase::head ? "the request's head took too long" : "the request's body took too long");
    return;
  }
  if (e) {
    close();
    return;
  }
  if (phase_ == phase::body) {
    feed_body();
    return;
  }
  if (buffer_.size() == n && scanned_ == 0) {
    now_.started_us = steady_us();
    // The first byte ends the idle time; the head's own time starts, and further bytes do not prolong it.
    if (number_ > 1)
      set_deadline(core_->config.header_timeout_ms);
  }
  scan_head();
}

void session::on_head(std::size_t size) {
  if (auto fault = check_head(view(buffer_).substr(0, size))) {
    fail(fault->status, fault->code, fault->detail);
    return;
  }
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_->config.header_bytes_max + 1));
  parser_->body_limit(boost::none);
  boost::system::error_code e;
  const auto used = parser_->put(asio::buffer(buffer_.data(), size), e);
  if ((e && e != beast_http::error::need_more) || !parser_->is_header_done() || used != size) {
    fail(400, "malformed", "the request's head cannot be read");
    return;
  }
  buffer_.consume(size);
  ++core_->requests;
  now_.counted = true;
  take_head();
  auto early = choose_route();
  if (!early)
    early = check_head_fields();
  if (early)
    reply(std::move(*early));
  else
    check_key();
}

void session::take_head() {
  const auto& head = parser_->get();
  auto& req = now_.req;
  req.method = std::string(head.method_string());
  for (const auto& field : head)
    req.headers.add(std::string(field.name_string()), std::string(field.value()));
  auto trace = take_traceparent(req.headers.find("traceparent"), core_->random);
  now_.request_id = req.request_id = take_request_id(req.headers.find("X-Request-Id"), core_->random);
  now_.traceparent = req.traceparent = std::move(trace.traceparent);
  now_.trace = req.trace = trace.trace;
  now_.method = req.method;
  now_.keep_alive = parser_->keep_alive();
  req.remote_ip = client_address(peer_, req.headers, core_->config.trusted_proxies);
}

std::optional<response> session::choose_route() {
  auto& req = now_.req;
  const auto head_target = parser_->get().target();
  auto where = parse_target({head_target.data(), head_target.size()});
  if (!where)
    return response::problem(where.err());
  now_.path = req.path = std::move(where->path);
  req.query = std::move(where->query);
  if (req.method == "OPTIONS" && where->raw_path == "*") {
    auto out = response::empty(204);
    out.headers.add("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    return out;
  }
  auto m = core_->routes.find(req.method, where->raw_path);
  now_.cors = m.cors;
  if (m.allow.empty())
    return response::problem(404, "not_found", "there is no such path");
  if (m.found == nullptr && req.method == "OPTIONS")
    return preflight(m);
  if (m.found == nullptr) {
    auto out = response::problem(405, "method_not_allowed", "the path takes " + m.allow);
    out.headers.add("Allow", m.allow);
    return out;
  }
  now_.target = m.found;
  req.params = std::move(m.params);
  return std::nullopt;
}

response session::preflight(const router::match& m) const {
  auto out = response::empty(204);
  out.headers.add("Allow", m.allow);
  if (m.cors) {
    out.headers.add("Access-Control-Allow-Methods", m.allow);
    out.headers.add("Access-Control-Allow-Headers", "authorization, content-type, x-retry-count");
    out.headers.add("Access-Control-Max-Age", "7200");
  }
  return out;
}

std::optional<response> session::check_head_fields() {
  const auto& headers = now_.req.headers;
  if (const auto length = parser_->content_length(); length && *length > now_.target->body_bytes_max)
    return response::problem(413, "too_large", "the body is larger than the limit");
  auto coding = parse_coding(headers.find("Content-Encoding"), now_.target->zstd);
  if (!coding || headers.count("Content-Encoding") > 1)
    return response::problem(415, "unsupported", coding ? "one Content-Encoding is taken" : coding.err().detail);
  now_.coding = *coding;
  if (body_pending() && !content_type_taken(headers.find("Content-Type"), now_.target->content_types))
    return response::problem(415, "unsupported", "this Content-Type is not taken here");
  if (headers.has("Expect") && !equal_no_case(headers.find("Expect"), "100-continue"))
    return response::problem(417, "expectation_failed", "only 100-continue can be expected");
  now_.continue_wanted = headers.has("Expect");
  return std::nullopt;
}

} // namespace pulse::http
