// A connection with a time limit, made and dropped: dialling has none, and holds up every other dial meanwhile.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "actors/connector/connector.hpp"

namespace pulse {

namespace {

struct descriptor {
  explicit descriptor(int f) : fd(f) {
  }

  ~descriptor() {
    if (fd >= 0)
      ::close(fd);
  }

  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  int fd;
};

error no_connection(const std::string& host, std::uint16_t port, const std::string& why) {
  return {ec::unavailable, host + ":" + std::to_string(port) + ": " + why, ""};
}

} // namespace

result<void> probe(const std::string& host, std::uint16_t port, int within_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int problem = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); problem != 0)
    return no_connection(host, port, ::gai_strerror(problem));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> hold(found, ::freeaddrinfo);
  const descriptor s(::socket(found->ai_family, found->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, found->ai_protocol));
  if (s.fd < 0)
    return no_connection(host, port, std::strerror(errno));
  if (::connect(s.fd, found->ai_addr, found->ai_addrlen) == 0)
    return {};
  if (errno != EINPROGRESS)
    return no_connection(host, port, std::strerror(errno));
  pollfd wait{s.fd, POLLOUT, 0};
  if (::poll(&wait, 1, within_ms) != 1)
    return no_connection(host, port, "no answer in time");
  int problem = 0;
  socklen_t size = sizeof(problem);
  if (::getsockopt(s.fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem != 0)
    return no_connection(host, port, std::strerror(problem != 0 ? problem : errno));
  return {};
}

} // namespace pulse
