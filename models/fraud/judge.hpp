// The fraud model as it is put in force: the trees, and what their margins mean among legitimate events. Immutable.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/fraud/model.hpp"

namespace pulse::fraud {

class judge {
public:
  /// Margins of legitimate events that the trees had not seen, in any order; at least one.
  judge(model trees, std::vector<float> legitimate);

  /// Errors: `corrupt` with the reason.
  static result<judge> load(std::string_view bytes);
  std::string save() const;

  /// 32 hexadecimal digits: the first 16 bytes of the file's SHA-256.
  const std::string& id() const {
    return id_;
  }

  const model& trees() const {
    return trees_;
  }

  /// What it takes in memory, about.
  std::size_t memory_bytes() const {
    return trees_.memory_bytes() + highest_.capacity() * sizeof(float);
  }

  /// Share of legitimate events with at least this margin, in (0, 1]: (k + 1) / (n + 1) for k of n.
  double tail(float margin) const;

private:
  /// Only the highest are kept one by one: below them nothing is flagged.
  static constexpr std::size_t kept_max = 4'096;

  judge(model trees, std::uint64_t seen, std::vector<float> highest);

  model trees_;
  /// Of all legitimate events looked at.
  std::uint64_t seen_ = 0;
  /// Descending.
  std::vector<float> highest_;
  std::string id_;
};

} // namespace pulse::fraud
