// Answering side of a session: handler's response -> bytes -> next request or a polite close; and what ends a
// session that takes too long.
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <ctime>
#include <fmt/format.h>

#include "http/middleware/request_context.hpp"
#include "http/server/session.hpp"

namespace pulse::http {

namespace {

constexpr std::int64_t linger_ms = 2000;
constexpr std::size_t linger_bytes_max = 16U << 20;
constexpr std::size_t discard_piece = 16U << 10;

/// RFC 9110's Date, made once a second and thread.
const std::string& http_date() {
  thread_local std::time_t at = 0;
  thread_local std::string text;
  const auto now = std::time(nullptr);
  if (now != at) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    char buffer[40];
    text.assign(buffer, std::strftime(buffer, sizeof buffer, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    at = now;
  }
  return text;
}

/// A line break in a value would let it write header fields of its own.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  for (char c : value)
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
  out.append("\r\n");
}

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

} // namespace

session::session(std::shared_ptr<core> owner, std::unique_ptr<connection> link, ip_address peer) :
  core_(std::move(owner)), link_(std::move(link)), peer_(peer) {
}

session::~session() {
  end_exchange();
  core_->leave(this);
}

void session::answer(std::uint64_t number, response r) {
  // Nobody runs the loop any more: what is put there would stay for ever.
  if (core_->stopped)
    return;
  asio::dispatch(link_->socket().get_executor(), [self = shared_from_this(), number, r = std::move(r)]() mutable {
    if (self->phase_ == phase::handler && self->number_ == number)
      self->reply(std::move(r));
  });
}

void session::fail(int status, std::string code, std::string detail) {
  if (now_.request_id.empty()) {
    now_.request_id = take_request_id({}, core_->random);
    auto trace = take_traceparent({}, core_->random);
    now_.trace = trace.trace;
    now_.traceparent = std::move(trace.traceparent);
  }
  write(response::problem(status, std::move(code), std::move(detail)), true);
}

void session::reply(response r) {
  // What is left of an unread body cannot be told from a next request without reading it all.
  write(std::move(r), !now_.keep_alive || body_pending() || core_->draining);
}

bool session::body_pending() const {
  return parser_ && !parser_->is_done();
}

void session::write(response r, bool close) {
  phase_ = phase::write;
  finish_response(r, now_.path, now_.request_id, now_.traceparent);
  if (now_.cors)
    add_cors(r);
  out_head_ = render_head(r, close);
  const bool bodiless = now_.method == "HEAD" || has_no_body(r.status);
  out_body_ = bodiless ? std::string() : std::move(r.body);
  const auto bytes = out_head_.size() + out_body_.size();
  set_deadline(core_->config.write_timeout_ms + static_cast<std::int64_t>(bytes / 64));
  link_->write({asio::buffer(out_head_), asio::buffer(out_body_)},
               [self = shared_from_this(), r = std::move(r), bytes, close](boost::system::error_code e, std::size_t) {
                 self->report(r, bytes);
                 self->on_written(e, close);
               });
}

std::string session::render_head(response& r, bool close) const {
  std::string out;
  out.reserve(512);
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", r.status, reason_phrase(r.status));
  append_field(out, "Date", http_date());
  for (const auto& [name, value] : r.headers.fields())
    append_field(out, name, value);
  if (!has_no_body(r.status))
    append_field(out, "Content-Length", std::to_string(r.body.size()));
  if (close)
    append_field(out, "Connection", "close");
  else if (parser_ && parser_->get().version() == 10)
    append_field(out, "Connection", "keep-alive");
  return out += "\r\n";
}

void session::add_cors(response& r) const {
  // Any origin: the key is the right, and no cookie is ever looked at.
  r.headers.set("Access-Control-Allow-Origin", "*");
  r.headers.set("Access-Control-Expose-Headers", "X-Request-Id, traceparent, Retry-After, RateLimit, RateLimit-Policy");
}

void session::report(const response& r, std::size_t bytes_out) {
  if (!core_->observe)
    return;
  request_info info;
  info.method = now_.method;
  info.route = now_.target != nullptr ? now_.target->pattern : std::string();
  info.status = r.status;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  info.seconds =
      static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(now).count() - now_.started_us) / 1e6;
  info.bytes_in = now_.bytes_in;
  info.bytes_out = bytes_out;
  info.tenant = now_.tenant;
  info.request_id = now_.request_id;
  info.trace = now_.trace;
  info.code = r.problem_body ? r.problem_body->code : std::string();
  core_->observe(info);
}

void session::on_written(boost::system::error_code e, bool close) {
  if (phase_ == phase::closed)
    return;
  if (e)
    this->close();
  else if (close)
    linger();
  else
    next_request();
}

void session::linger() {
  // Closing with unread bytes makes the kernel send a reset, which can overtake the answer. So: say that nothing
  // more comes, then read and throw away until the peer closes, within limits.
  end_exchange();
  phase_ = phase::linger;
  set_deadline(linger_ms);
  buffer_.clear();
  link_->shutdown_send([self = shared_from_this()](boost::system::error_code e, std::size_t) {
    if (e)
      self->close();
    else
      self->discard();
  });
}

void session::discard() {
  if (phase_ != phase::linger)
    return;
  link_->read(buffer_.prepare(discard_piece), [self = shared_from_this()](boost::system::error_code e, std::size_t n) {
    self->discarded_ += n;
    if (e || self->discarded_ > linger_bytes_max)
      self->close();
    else
      self->discard();
  });
}

void session::end_exchange() {
  if (now_.counted)
    --core_->requests;
  now_.counted = false;
  core_->bytes.give_back(now_.reserved);
  now_.reserved = 0;
}

void session::close() {
  if (phase_ == phase::closed)
    return;
  phase_ = phase::closed;
  deadline_ = INT64_MAX;
  end_exchange();
  link_->close();
  core_->leave(this);
}

bool session::reserve(std::size_t n) {
  if (!core_->bytes.take(n))
    return false;
  now_.reserved += n;
  return true;
}

void session::set_deadline(std::int64_t after_ms) {
  deadline_.store(steady_ms() + after_ms, std::memory_order_relaxed);
}

void session::expire() {
  asio::post(link_->socket().get_executor(), [self = shared_from_this()] {
    if (steady_ms() < self->deadline())
      return;
    switch (self->phase_) {
      case phase::head:
        if (self->buffer_.size() == 0) {
          self->close();
          return;
        }
        [[fallthrough]];
      case phase::body:
        // The read ends with an error, and on_read answers 408. A write to a silent peer has its own deadline.
        self->timed_out_ = true;
        self->set_deadline(linger_ms);
        self->link_->cancel();
        return;
      case phase::check:
      case phase::handler:
        self->reply(response::problem(503, "timeout", "the request took too long; its outcome is unknown"));
        return;
      case phase::write:
      case phase::linger: self->close(); return;
      case phase::closed: return;
    }
  });
}

void session::close_if_idle() {
  asio::post(link_->socket().get_executor(), [self = shared_from_this()] {
    if (self->phase_ == phase::head && self->buffer_.size() == 0)
      self->close();
  });
}

void session::force_close() {
  asio::post(link_->socket().get_executor(), [self = shared_from_this()] { self->close(); });
}

} // namespace pulse::http
