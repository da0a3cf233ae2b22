// POST /v1/score: what the pipeline would say of events now. Nothing is stored, learnt or told.
#pragma once

#include "base/time.hpp"
#include "base/worker_pool.hpp"
#include "http/middleware/message.hpp"
#include "ports/score.hpp"

namespace pulse::http {

struct score_parts {
  worker_pool& workers;
  score_port ask;
  const clock& time;
  random_source& random;
  std::int64_t horizon_ms;
};

route score_route(const score_parts& parts);

} // namespace pulse::http
