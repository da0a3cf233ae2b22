// What a rebuild asks of the database before and after it: `pulse rebuild` reads the log again into one that was
// restored with tenants, configuration and versions, but without event data.
#pragma once

#include <string>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pulse::postgres {

/// `conflict`: there is event data already, or a node holds slots; the error says which.
result<void> ready_to_rebuild(const std::string& url, log_generation generation);

/// What was told once is not told again: candidates that the rebuild wrote count as told, and nothing of them is due.
/// How many there were.
result<std::int64_t> settle_rebuilt_alerts(const std::string& url);

/// Records that were read, and events stored of them.
struct rebuilt_counts {
  std::int64_t raw = 0;
  std::int64_t stored = 0;
  std::int64_t duplicates = 0;
  std::int64_t failed = 0;
};

result<rebuilt_counts> count_rebuilt(const std::string& url, log_generation generation);

} // namespace pulse::postgres
