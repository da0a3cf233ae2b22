#include "models/risk/drift_check.hpp"

namespace pulse::scoring {

namespace {

/// The model's columns, then its score; row by row.
std::vector<double> values_of(std::span<const timed_row> rows, const placed_model& placed) {
  std::vector<features::row> plain;
  plain.reserve(rows.size());
  for (const auto& r : rows)
    plain.push_back(r.row);
  const auto scored = score_rows(plain, placed);
  std::vector<double> out;
  out.reserve(rows.size() * (placed.columns.size() + 1));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const auto j : placed.columns)
      out.push_back(static_cast<double>(plain[i][j]));
    out.push_back(scored[i].raw);
  }
  return out;
}

} // namespace

std::vector<std::string> drift_report::drifted() const {
  std::vector<std::string> out;
  for (const auto& f : findings)
    if (f.drifted)
      out.push_back(f.name);
  return out;
}

drift_report check_drift(std::span<const timed_row> reference, std::span<const timed_row> latest,
                         const placed_model& placed) {
  drift_report out{reference.size(), latest.size(), {}};
  if (reference.size() < detection::drift_window::rows_min || latest.size() < detection::drift_window::rows_min)
    return out;
  auto names = placed.model->features();
  names.emplace_back("score");
  std::vector<std::uint8_t> parts;
  for (const auto& r : reference)
    parts.push_back(static_cast<std::uint8_t>(detection::week_part(r.at)));
  const detection::drift_reference expected(values_of(reference, placed), names, parts);
  detection::drift_window window(expected);
  const auto values = values_of(latest, placed);
  for (std::size_t i = 0; i < latest.size(); ++i)
    window.add(std::span(values).subspan(i * names.size(), names.size()), detection::week_part(latest[i].at));
  out.findings = window.look();
  return out;
}

} // namespace pulse::scoring
