// Reading side of a session, second half: key -> body -> handler.
#include <boost/asio/dispatch.hpp>

#include "http/server/session.hpp"

namespace pulse::http {

namespace beast_http = boost::beast::http;

namespace {

constexpr std::size_t body_piece = 64U << 10;

} // namespace

void session::check_key() {
  const auto& r = *now_.target;
  if (r.keyless) {
    now_.authenticated = true;
    read_body();
    return;
  }
  auto key = key_from_headers(now_.req.headers);
  if (!key)
    reply(response::problem(key.err()));
  else if (*key)
    check_key_text(**key);
  else if (r.key_from_body)
    read_body();
  else
    reply(response::problem(401, "unauthorized", "an API key is wanted: Authorization: Bearer, X-API-Key, or Basic"));
}

void session::check_key_text(std::string_view key) {
  phase_ = phase::check;
  set_deadline(core_->config.handler_timeout_ms);
  if (!core_->gate) {
    reply(response::problem(503, "unavailable", "keys cannot be checked now"));
    return;
  }
  core_->gate->check(key, [self = shared_from_this(), number = number_](result<principal> who) {
    if (self->core_->stopped)
      return;
    asio::dispatch(self->link_->socket().get_executor(), [self, number, who = std::move(who)]() mutable {
      if (self->phase_ == phase::check && self->number_ == number)
        self->on_key(std::move(who));
    });
  });
}

void session::on_key(result<principal> who) {
  if (!who) {
    reply(response::problem(who.err()));
    return;
  }
  now_.tenant = who->tenant;
  if (auto allowed = authorize(*who, *now_.target); !allowed) {
    reply(response::problem(allowed.err()));
    return;
  }
  now_.req.who = std::move(*who);
  now_.authenticated = true;
  // With a key from the body the body is here already.
  if (parser_->is_done() && now_.target->key_from_body && now_.req.wire_bytes > 0)
    invoke();
  else
    read_body();
}

void session::read_body() {
  phase_ = phase::body;
  set_deadline(core_->config.body_timeout_ms);
  parser_->body_limit(now_.target->body_bytes_max);
  parser_->eager(true);
  if (now_.continue_wanted && body_pending() && buffer_.size() == 0) {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    link_->write({asio::buffer(go_on), asio::const_buffer{}},
                 [self = shared_from_this()](boost::system::error_code e, std::size_t) {
                   if (e || self->timed_out_)
                     self->close();
                   else
                     self->feed_body();
                 });
    return;
  }
  feed_body();
}

void session::feed_body() {
  while (!parser_->is_done()) {
    if (buffer_.size() == 0) {
      read_more(body_piece);
      return;
    }
    boost::system::error_code e;
    const auto before = parser_->get().body().size();
    const auto used = parser_->put(buffer_.data(), e);
    buffer_.consume(used);
    if (e == beast_http::error::body_limit) {
      reply(response::problem(413, "too_large", "the body is larger than the limit"));
      return;
    }
    if (e && e != beast_http::error::need_more) {
      fail(400, "malformed", "the body's chunks cannot be read");
      return;
    }
    if (!reserve(parser_->get().body().size() - before)) {
      reply(response::problem(503, "unavailable", "too many bytes are in work"));
      return;
    }
    if (e == beast_http::error::need_more && buffer_.size() > core_->config.header_bytes_max) {
      fail(400, "malformed", "a chunk's head is larger than the limit");
      return;
    }
    if (e == beast_http::error::need_more || used == 0) {
      read_more(body_piece);
      return;
    }
  }
  on_body();
}

void session::on_body() {
  auto& req = now_.req;
  auto wire = std::move(parser_->get().body());
  now_.bytes_in = req.wire_bytes = wire.size();
  if (now_.coding == body_coding::identity) {
    req.body = std::move(wire);
  } else {
    const inflate_limits limits{now_.target->inflated_bytes_max, core_->config.inflate_ratio_max,
                                [this](std::size_t n) {
                                  return reserve(n);
                                }};
    auto plain = wire.empty() ? result<std::string>(std::string()) : decode_body(wire, now_.coding, limits);
    if (!plain) {
      reply(response::problem(plain.err()));
      return;
    }
    req.body = std::move(*plain);
  }
  if (now_.authenticated) {
    invoke();
    return;
  }
  const auto key = now_.target->key_from_body(req);
  if (key.empty() || req.wire_bytes == 0)
    reply(response::problem(401, "unauthorized", "an API key is wanted"));
  else
    check_key_text(key);
}

void session::invoke() {
  phase_ = phase::handler;
  set_deadline(core_->config.handler_timeout_ms);
  const auto respond =
      answer_once([self = shared_from_this(), number = number_](response r) { self->answer(number, std::move(r)); });
  try {
    now_.target->handle(std::move(now_.req), respond);
  } catch (const std::exception&) {
    // What was thrown may quote the request; the answer says no more than that it failed.
    respond(response::problem(500, "internal", "the request failed inside the server"));
  }
}

} // namespace pulse::http
