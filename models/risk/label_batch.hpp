// Labels on their way into a tenant's state: one batch is an immutable version of kind `labels` that a control record
// names. It says of each changed label what it was before and which entities the payment was linked by, so that folding
// it needs nothing but the state itself; changes are differences, so their order does not matter.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "models/features/entity.hpp"

namespace pulse::labels {

struct change {
  event_id id;
  /// Nothing: it had no label.
  std::optional<bool> was;
  bool fraud = false;
  std::vector<features::key> entities;

  /// So many more frauds there are.
  int frauds_by() const {
    return (fraud ? 1 : 0) - (was == true ? 1 : 0);
  }
};

struct batch {
  /// Drawn anew for each.
  uuid id;
  std::vector<change> changes;
};

/// JSON: `{"id","labels":[{"event","was","fraud","entities":["32 hex"]}]}`.
std::string encode(const batch& b);

/// Errors: `corrupt`.
result<batch> decode(std::string_view bytes);

} // namespace pulse::labels
