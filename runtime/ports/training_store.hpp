// Port: what training reads and keeps. Blocking; adapter: postgres/control_store.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace pulse {

/// Stored features, a row per event as they were scored, oldest first.
struct feature_history {
  std::size_t columns = 0;
  std::vector<float> values;
  std::string from;
  std::string to;
  /// From the tenant's first event that is still stored to the last row.
  std::int64_t reach_ms = 0;

  std::size_t rows() const {
    return columns == 0 ? 0 : values.size() / columns;
  }
};

struct listed_model {
  std::string id;
  std::int64_t version = 0;
  std::string card;
  std::string created_at;
  /// Empty while its control record has not taken effect.
  std::string live_from;
  bool live = false;
};

} // namespace pulse
