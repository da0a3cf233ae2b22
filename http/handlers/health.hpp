// /healthz and /readyz: alive, and willing to take work. On both listeners.
#pragma once

#include <functional>
#include <vector>

#include "http/middleware/message.hpp"

namespace pulse::http {

/// `ready` is called on an I/O thread and must not block; its error becomes a 503 that says what is missing.
std::vector<route> health_routes(std::function<result<void>()> ready);

} // namespace pulse::http
