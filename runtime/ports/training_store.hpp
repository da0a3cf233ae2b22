// Port: what training reads and keeps. Blocking; adapter: postgres/control_store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace pulse {

/// Stored features, a row per event as they were scored, oldest first.
struct feature_history {
  std::size_t columns = 0;
  std::vector<float> values;
  std::vector<time_ms> at;
  /// From the tenant's first event that is still stored to the last row.
  std::int64_t reach_ms = 0;

  std::size_t rows() const {
    return columns == 0 ? 0 : values.size() / columns;
  }
};

/// What a training is about; its name is the kind of its due work.
enum class training_kind : std::uint8_t {
  /// The model of what is unusual, then the fraud model.
  all,
  /// The fraud model alone, when labels came.
  fraud,
  /// Nothing is trained: whether events are still like those that the model was fitted on.
  drift,
};

inline const char* to_string(training_kind k) {
  return k == training_kind::all ? "train" : k == training_kind::fraud ? "fraud" : "drift";
}

inline std::optional<training_kind> parse_training(std::string_view name) {
  for (auto k : {training_kind::all, training_kind::fraud, training_kind::drift})
    if (name == to_string(k))
      return k;
  return std::nullopt;
}

struct listed_model {
  std::string id;
  std::int64_t version = 0;
  std::string card;
  std::string created_at;
  /// Empty while its control record has not taken effect.
  std::string live_from;
  bool live = false;
  /// Its control record is on its way.
  bool pending = false;
};

} // namespace pulse
