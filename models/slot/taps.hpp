// What a batch writes to the topics that others read, before it is stored: each of its events enriched and scored, what
// failed, and the alerts it is a candidate for. At least once; the highest `epoch` of a `source` is valid.
#pragma once

#include <string>
#include <vector>

#include "models/slot/types.hpp"

namespace pulse::slot {

struct tap_record {
  tenant_id tenant;
  /// tenant/entity, as in raw: the customer, else the anonymous id.
  std::string key;
  std::string value;
  std::string traceparent;
  /// `slot/offset` of the raw record.
  std::string source;
};

struct batch_taps {
  std::vector<tap_record> enriched;
  std::vector<tap_record> scored;
  std::vector<tap_record> failed;
  std::vector<tap_record> alerts;
};

batch_taps taps_of(const batch& b, slot_id slot);

} // namespace pulse::slot
