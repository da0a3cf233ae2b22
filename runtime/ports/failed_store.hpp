// Port: failed events that are to be sent again. All calls block; one object per worker thread. Adapter:
// postgres/failed_store.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace pulse {

/// Which failed events; what is not given does not choose. Those that were sent again already are left out.
struct failed_selection {
  std::optional<time_ms> from;
  std::optional<time_ms> to;
  std::optional<std::string> code;
  std::optional<std::string> stage;
  std::vector<uuid> ids;
};

struct failed_body {
  uuid id;
  std::string body;
};

class failed_store {
public:
  virtual ~failed_store() = default;

  virtual result<std::int64_t> count(tenant_id tenant, const failed_selection& which) = 0;
  /// The oldest first, at most `max`.
  virtual result<std::vector<failed_body>> read(tenant_id tenant, const failed_selection& which, std::int64_t max) = 0;
  virtual result<void> mark_replayed(tenant_id tenant, const std::vector<uuid>& ids) = 0;
};

} // namespace pulse
