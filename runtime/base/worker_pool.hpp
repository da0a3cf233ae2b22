// A fixed number of threads for blocking work, with a bounded queue. What is posted beyond the bound is refused, so
// that a slow database never grows memory.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pulse {

class worker_pool {
public:
  /// `worker`: 0 to threads - 1, so that a job can use what belongs to its thread.
  using job = std::function<void(std::size_t worker)>;

  worker_pool(std::size_t threads, std::size_t queue_max);
  /// Finishes what is running; what waits is dropped.
  ~worker_pool();
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// False when the queue is full or the pool ends: the job is not kept. Jobs must not throw.
  bool post(job j);

  std::size_t threads() const {
    return threads_.size();
  }

private:
  void run(std::size_t worker);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<job> queue_;
  std::size_t queue_max_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

} // namespace pulse
