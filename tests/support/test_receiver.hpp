// A receiver of webhooks for tests: one thread for each connection, answers what the test says, or never.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace pulse::test {

class test_receiver {
public:
  /// Gets the request's head and body; returns the raw answer. Empty: hangs until the receiver ends.
  using behaviour = std::function<std::string(const std::string& request)>;

  explicit test_receiver(behaviour b, int family = AF_INET) : behaviour_(std::move(b)) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t n = sizeof v4;
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&v4), n) != 0 || ::listen(fd_, 64) != 0)
      std::abort();
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&v4), &n);
    port = ntohs(v4.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~test_receiver() {
    stopping_ = true;
    acceptor_.join();
    for (auto& t : workers_)
      t.join();
    ::close(fd_);
  }

  std::string url(const std::string& host = "127.0.0.1", const std::string& path = "/hook") const {
    return "http://" + host + ":" + std::to_string(port) + path;
  }

  std::uint16_t port = 0;
  std::atomic<int> connections{0};
  std::atomic<int> open_now{0};
  std::atomic<int> open_most{0};

private:
  void accept_all() {
    while (!stopping_) {
      pollfd p{fd_, POLLIN, 0};
      if (::poll(&p, 1, 20) <= 0)
        continue;
      const int client = ::accept(fd_, nullptr, nullptr);
      if (client < 0)
        continue;
      ++connections;
      workers_.emplace_back([this, client] { serve(client); });
    }
  }

  bool readable(int client) const {
    pollfd p{client, POLLIN, 0};
    while (!stopping_)
      if (::poll(&p, 1, 20) > 0)
        return true;
    return false;
  }

  void serve(int client) {
    open_most = std::max(open_most.load(), ++open_now);
    std::string seen;
    std::size_t wanted = std::string::npos;
    char buffer[4096];
    while (seen.size() < wanted && readable(client)) {
      const auto n = ::recv(client, buffer, sizeof buffer, 0);
      if (n <= 0)
        break;
      seen.append(buffer, static_cast<std::size_t>(n));
      const auto head = seen.find("\r\n\r\n");
      const auto length = seen.find("Content-Length: ");
      if (head != std::string::npos)
        wanted = head + 4 + (length < head ? std::stoul(seen.substr(length + 16)) : 0);
    }
    const auto answer = behaviour_(seen);
    if (!answer.empty())
      ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
    while (answer.empty() && readable(client))
      if (::recv(client, buffer, sizeof buffer, 0) <= 0)
        break;
    --open_now;
    ::close(client);
  }

  behaviour behaviour_;
  int fd_ = -1;
  std::atomic<bool> stopping_{false};
  std::thread acceptor_;
  std::vector<std::thread> workers_;
};

} // namespace pulse::test
