// Request heads that two servers in a row could read in two ways are refused; ordinary ones pass.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "http/middleware/head_check.hpp"

using pulse::http::check_head;

namespace {

int status_of(const std::string& head) {
  const auto fault = check_head(head);
  return fault ? fault->status : 0;
}

std::string post(const std::string& fields) {
  return "POST /v1/events HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

} // namespace

TEST_CASE("ordinary heads pass", "[http][f:1.6]") {
  CHECK(status_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
  CHECK(status_of("GET / HTTP/1.0\r\n\r\n") == 0);
  CHECK(status_of(post("Content-Length: 12\r\nX-Odd:  \t value with blanks \r\n")) == 0);
  CHECK(status_of(post("Transfer-Encoding: Chunked\r\n")) == 0);
  CHECK(status_of(post("X-Latin: caf\xe9\r\nEmpty:\r\n")) == 0);
}

TEST_CASE("two ways to tell where the body ends are refused", "[http][f:1.6]") {
  for (auto fields : {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                      "Content-Length: 4\r\nContent-Length: 4\r\n",
                      "Content-Length: 4, 4\r\n",
                      "Content-Length: +4\r\n",
                      "Content-Length: -1\r\n",
                      "Content-Length: 0x4\r\n",
                      "Content-Length:\r\n",
                      "Content-Length: 4 4\r\n",
                      "Content-Length: 9999999999999999999\r\n",
                      "Transfer-Encoding: chunked, identity\r\n",
                      "Transfer-Encoding: gzip, chunked\r\n",
                      "Transfer-Encoding: xchunked\r\n",
                      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                      "Transfer-Encoding:\r\n",
                      "Transfer-Encoding: \x0b"
                      "chunked\r\n",
                      "Transfer-Encoding : chunked\r\n",
                      "Content-Length : 4\r\n",
                      " Content-Length: 4\r\n",
                      "X: 1\r\n Content-Length: 4\r\n",
                      "X: 1\r\n\tfolded\r\n",
                      "X: 1\nContent-Length: 4\r\n",
                      "X: 1\rContent-Length: 4\r\n",
                      "Content Length: 4\r\n",
                      ": empty name\r\n",
                      "no colon\r\n",
                      "Host: b\r\n"}) {
    INFO(fields);
    CHECK(status_of(post(fields)) == 400);
  }
  CHECK(status_of(post(std::string("X: a\0b\r\n", 8))) == 400);
  CHECK(status_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
}

TEST_CASE("an odd request line is refused", "[http][f:1.6]") {
  for (auto line : {"GET  / HTTP/1.1", "GET /a b HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET /", "GET",
                    "G(T / HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /caf\xc3\xa9 HTTP/1.1", "GET\t/\tHTTP/1.1", ""}) {
    INFO(line);
    CHECK(status_of(std::string(line) + "\r\nHost: a\r\n\r\n") == 400);
  }
  CHECK(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(status_of("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == 414);
  CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
  std::string many;
  for (int i = 0; i < 101; ++i)
    many += "X: y\r\n";
  CHECK(status_of(post(many)) == 431);
}
