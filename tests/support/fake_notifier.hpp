// Fake of the notifier: keeps what was posted, answers as the test says. Knobs: `answer`, `cork`.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "ports/notifier.hpp"

namespace pulse::test {

class fake_notifier final : public notifier {
public:
  /// What a post is answered with; 200 unless set.
  std::function<result<http_reply>(const http_post&)> answer = [](const http_post&) {
    http_reply ok;
    ok.status = 200;
    return result<http_reply>(ok);
  };

  void send(http_post post, done d) override {
    {
      const std::lock_guard lock(mutex_);
      posts_.push_back(post);
      if (corked_) {
        held_.emplace_back(std::move(post), std::move(d));
        return;
      }
    }
    d(answer(post));
  }

  /// From now on posts wait; `uncork` answers them in order.
  void cork() {
    const std::lock_guard lock(mutex_);
    corked_ = true;
  }

  void uncork() {
    std::vector<std::pair<http_post, done>> held;
    {
      const std::lock_guard lock(mutex_);
      corked_ = false;
      held.swap(held_);
    }
    for (auto& [post, d] : held)
      d(answer(post));
  }

  std::vector<http_post> posts() const {
    const std::lock_guard lock(mutex_);
    return posts_;
  }

private:
  mutable std::mutex mutex_;
  bool corked_ = false;
  std::vector<http_post> posts_;
  std::vector<std::pair<http_post, done>> held_;
};

} // namespace pulse::test
