#include "base/worker_pool.hpp"

#include <utility>

namespace pulse {

worker_pool::worker_pool(std::size_t threads, std::size_t queue_max) : queue_max_(queue_max) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back([this, i] { run(i); });
}

worker_pool::~worker_pool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    queue_.clear();
  }
  wake_.notify_all();
  for (auto& t : threads_)
    t.join();
}

bool worker_pool::post(job j) {
  {
    const std::lock_guard lock(mutex_);
    if (ending_ || queue_.size() >= queue_max_)
      return false;
    queue_.push_back(std::move(j));
  }
  wake_.notify_one();
  return true;
}

void worker_pool::run(std::size_t worker) {
  for (;;) {
    job next;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
      if (ending_)
        return;
      next = std::move(queue_.front());
      queue_.pop_front();
    }
    next(worker);
  }
}

} // namespace pulse
