// Private to the sink: what one attempt at a batch gathers on its way through the transaction's steps.
#pragma once

#include <map>
#include <set>
#include <unordered_set>
#include <vector>

#include "postgres/slot_sink.hpp"

namespace pulse::postgres {

/// What became of one tenant's records in the batch.
struct tally {
  std::int64_t raw = 0;
  std::int64_t stored = 0;
  std::int64_t duplicates = 0;
  std::int64_t failed = 0;
  std::int64_t control = 0;
  std::int64_t dropped = 0;
  std::int64_t last = -1;
};

struct failed_row {
  const slot::processed* what;
  slot::failure why;
};

/// What a span of rows left in the open transaction; becomes the work's own once nothing of the span was refused.
struct stored_span {
  std::unordered_set<std::int64_t> inserted;
  std::set<tenant_id> alerted;
  std::int64_t alerts = 0;
};

struct slot_sink::work {
  const slot::batch& batch;
  /// Halve around rows that SQL refuses.
  bool careful = false;
  std::vector<const slot::processed*> rows;
  std::vector<failed_row> failed;
  std::unordered_set<std::int64_t> inserted;
  std::set<tenant_id> alerted;
  std::map<tenant_id, tally> tallies;
  commit_outcome outcome;
};

} // namespace pulse::postgres
