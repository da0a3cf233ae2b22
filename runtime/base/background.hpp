// Long computations beside work that must be quick.
#pragma once

#include <future>
#include <thread>
#include <utility>

namespace pulse {

/// The calling thread gives way to the process's others: nice 10, about a tenth of a core that somebody else wants too.
/// For good, so only for threads that end afterwards.
void give_way();

/// Runs `work` on a thread of its own that gives way, and waits for its result; what it throws is thrown here.
template <class Work>
auto in_background(Work&& work) {
  std::packaged_task<decltype(work())()> task([&work] {
    give_way();
    return work();
  });
  auto done = task.get_future();
  std::thread worker(std::move(task));
  worker.join();
  return done.get();
}

} // namespace pulse
