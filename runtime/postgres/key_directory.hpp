// API keys in Postgres. Asked on the worker pool, answered from there.
#pragma once

#include <memory>
#include <vector>

#include "base/worker_pool.hpp"
#include "ports/key_directory.hpp"
#include "postgres/pool.hpp"

namespace pulse::postgres {

class pg_key_directory final : public key_directory {
public:
  /// `pool` is destroyed before this.
  pg_key_directory(const std::string& url, const std::string& node, worker_pool& pool);

  void find(std::string_view key_id, found done) override;

private:
  result<std::optional<key_record>> read(std::size_t worker, const std::string& key_id);

  worker_pool& pool_;
  /// One per thread of the pool.
  std::vector<std::unique_ptr<session>> sessions_;
};

} // namespace pulse::postgres
