// Posts webhooks: thousands of slow receivers at once, on one thread over libcurl's multi interface. The address is
// checked when the socket is opened, so no name, spelling, redirect or DNS answer leads into a private network.
// Lifecycle: construct (starts the thread), destroy (ends it; what is unfinished gets `unavailable`).
#pragma once

#include <cstddef>
#include <memory>

#include "ports/notifier.hpp"

namespace pulse::delivery {

struct webhook_config {
  /// Ranges that every post may reach besides the public internet.
  std::vector<cidr> allow;
  std::size_t concurrency_max = 256;
  /// For one lane; while its last post got no answer, one at a time.
  std::size_t lane_concurrency_max = 8;
  /// Waiting posts, all lanes; more get `unavailable`.
  std::size_t queued_max = 10'000;
  /// Waiting posts of one lane, so that a dead receiver cannot fill the queue.
  std::size_t lane_queued_max = 1'000;
  /// What is read of an answer at most; then the connection is closed and the answer counts.
  std::size_t reply_bytes_max = 64U << 10;
};

struct webhook_load {
  std::size_t active = 0;
  std::size_t queued = 0;
};

class webhook_sender final : public notifier {
public:
  explicit webhook_sender(webhook_config config = {});
  ~webhook_sender() override;

  void send(http_post post, done d) override;

  webhook_load load() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace pulse::delivery
