// See score_table.hpp.
#include "models/detection/score_table.hpp"

#include <fmt/format.h>

namespace pulse::detection {

result<std::vector<std::size_t>> match_columns(const model& m, const csv::numeric_table& table) {
  std::vector<std::size_t> out;
  std::string missing;
  for (const auto& name : m.features()) {
    if (const auto at = table.find(name))
      out.push_back(*at);
    else
      missing += (missing.empty() ? "" : ", ") + csv::quote(name);
  }
  if (!missing.empty())
    return error{ec::invalid, fmt::format("the model's feature columns are missing: {}", missing), {}};
  return out;
}

std::vector<double> pick_row(const csv::numeric_table& table, const std::vector<std::size_t>& columns,
                             std::size_t row) {
  std::vector<double> out;
  out.reserve(columns.size());
  for (auto c : columns)
    out.push_back(table.values[row * table.columns.size() + c]);
  return out;
}

std::string score_header(std::size_t reasons) {
  std::string out = "row,score,risk";
  for (std::size_t k = 1; k <= reasons; ++k)
    out += fmt::format(",reason_{},contribution_{}", k, k);
  return out + '\n';
}

std::string score_line(const model& m, std::size_t row, std::span<const double> features, std::size_t reasons) {
  const auto s = m.score(features);
  auto out = fmt::format("{},{},{}", row, s.raw, s.risk);
  if (reasons > 0) {
    const auto all = m.explain(features);
    for (std::size_t k = 0; k < reasons; ++k)
      out += k < all.size() ? fmt::format(",{},{}", csv::quote(m.features()[all[k].feature]), all[k].total()) : ",,";
  }
  return out + '\n';
}

} // namespace pulse::detection
