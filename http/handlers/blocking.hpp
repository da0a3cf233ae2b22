// Handlers that ask a store: the question runs on the worker pool, with that thread's own store object.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/worker_pool.hpp"
#include "http/middleware/message.hpp"

namespace pulse::http {

template <class Store>
class store_pool {
public:
  using maker = std::function<std::unique_ptr<Store>()>;

  /// One store per thread of `pool`, which is destroyed before this.
  store_pool(worker_pool& pool, const maker& make) : pool_(pool) {
    for (std::size_t i = 0; i < pool.threads(); ++i)
      stores_.push_back(make());
  }

  /// `ask` runs on a worker; what it returns is the answer. 503 when too many questions wait.
  void run(responder answer, std::function<response(Store&)> ask) {
    auto shared = std::make_shared<responder>(std::move(answer));
    const bool taken = pool_.post([this, shared, ask = std::move(ask)](std::size_t worker) {
      try {
        (*shared)(ask(*stores_[worker]));
      } catch (const std::exception& e) {
        (*shared)(response::problem(error{ec::internal, std::string("an unexpected fault: ") + e.what(), ""}));
      }
    });
    if (!taken)
      (*shared)(response::problem(error{ec::unavailable, "too many questions wait; ask again in a moment", ""}));
  }

private:
  worker_pool& pool_;
  std::vector<std::unique_ptr<Store>> stores_;
};

} // namespace pulse::http
