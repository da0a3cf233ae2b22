// What a backtest found, for machines and for people.
#pragma once

#include <string>
#include <vector>

#include "models/rules/backtest.hpp"
#include "node/cli/client.hpp"

namespace pulse::cli {

/// A line that the door would refuse.
struct refused_line {
  std::size_t line = 0;
  std::string reason;
};

/// So many refused lines are named.
inline constexpr std::size_t refused_named_max = 20;

/// What stands in a report besides the counts.
struct backtest_run {
  std::int64_t refused = 0;
  /// The first of them.
  std::vector<refused_line> refused_lines;
  /// Id of the lists that rules looked into; empty for none.
  std::string lists;
  double seconds = 0;

  void refuse(std::size_t line, std::string reason);
};

json backtest_json(const rules::backtest_report& r, const backtest_run& run);

/// `report`: what backtest_json made.
std::string backtest_text(const json& report);

} // namespace pulse::cli
