// /healthz and /readyz: alive, and willing to take work. On both listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "http/middleware/message.hpp"

namespace pulse::http {

/// Events that wait on the node's own disk, where it may keep some.
struct spill_note {
  std::int64_t events = 0;
  std::uint64_t bytes = 0;
};

/// Both are called on an I/O thread and must not block. `ready`: its error becomes a 503 that says what is missing.
/// `spilled`: stands in the answer; unset where nothing can be spilled.
std::vector<route> health_routes(std::function<result<void>()> ready, std::function<spill_note()> spilled = nullptr);

} // namespace pulse::http
