// A client that sends exactly the bytes it is told to, for tests of servers. Blocking, with a deadline on each read.
#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <cctype>
#include <chrono>
#include <map>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace pulse::test {

struct raw_answer {
  int status = 0;
  /// Names in lower case.
  std::map<std::string, std::string> headers;
  std::string body;
};

class raw_client {
public:
  explicit raw_client(std::uint16_t port, int timeout_ms = 5000) : timeout_ms_(timeout_ms) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
      throw std::runtime_error("cannot connect");
  }

  raw_client(raw_client&& other) noexcept : fd_(other.fd_), timeout_ms_(other.timeout_ms_) {
    other.fd_ = -1;
  }

  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  ~raw_client() {
    if (fd_ >= 0)
      ::close(fd_);
  }

  /// False when the peer has closed.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0)
        return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// The next answer; nothing when the connection ends or nothing comes in time. `head_only`: an answer to HEAD.
  std::optional<raw_answer> receive(bool head_only = false) {
    std::size_t end = 0;
    while ((end = seen_.find("\r\n\r\n")) == std::string::npos)
      if (!fill())
        return std::nullopt;
    raw_answer out = parse(seen_.substr(0, end));
    seen_.erase(0, end + 4);
    const auto length = out.headers.find("content-length");
    const auto n = head_only || length == out.headers.end() ? 0 : std::stoul(length->second);
    while (seen_.size() < n)
      if (!fill())
        return std::nullopt;
    out.body = seen_.substr(0, n);
    seen_.erase(0, n);
    return out;
  }

  /// True when the peer closes without another byte.
  bool closed() {
    return seen_.empty() && !fill() && ended_;
  }

private:
  static raw_answer parse(const std::string& head) {
    raw_answer out;
    out.status = std::stoi(head.substr(9, 3));
    std::size_t at = head.find("\r\n");
    while (at != std::string::npos) {
      const auto next = head.find("\r\n", at + 2);
      const auto line = head.substr(at + 2, next == std::string::npos ? next : next - at - 2);
      auto name = line.substr(0, line.find(':'));
      for (auto& c : name)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      out.headers[name] = line.substr(line.find(':') + 2);
      at = next;
    }
    return out;
  }

  bool fill() {
    pollfd p{fd_, POLLIN, 0};
    if (::poll(&p, 1, timeout_ms_) <= 0)
      return false;
    char buffer[16384];
    const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n <= 0) {
      ended_ = true;
      return false;
    }
    seen_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }

  int fd_ = -1;
  int timeout_ms_;
  bool ended_ = false;
  std::string seen_;
};

} // namespace pulse::test
