#include "models/alert/retry.hpp"

#include <algorithm>

namespace pulse::alert {

outcome outcome_of(int status) {
  if (status >= 200 && status < 300)
    return outcome::delivered;
  return status == 410 ? outcome::disable : outcome::retry;
}

std::optional<std::int64_t> next_delay_ms(const retry_config& config, int attempts_made,
                                          std::optional<std::int64_t> retry_after_s, double chance) {
  const auto at = static_cast<std::size_t>(std::max(1, attempts_made) - 1);
  if (at >= config.delays_ms.size())
    return std::nullopt;
  const double factor = 1 + config.jitter * (2 * chance - 1);
  const auto planned = static_cast<std::int64_t>(static_cast<double>(config.delays_ms[at]) * factor);
  const auto longest_s = config.retry_after_max_ms / second_ms;
  const auto wanted = std::clamp<std::int64_t>(retry_after_s.value_or(0), 0, longest_s) * second_ms;
  return std::max(planned, wanted);
}

} // namespace pulse::alert
