// The detector over tables: which columns of a table a model wants, and the scored table as CSV. What `pulse model
// score` prints; the files are opened elsewhere.
#pragma once

#include <string>
#include <vector>

#include "models/csv/table.hpp"
#include "models/detection/model.hpp"

namespace pulse::detection {

/// For each feature of the model its column in the table, found by name, so that the order does not matter. Errors:
/// `invalid`, naming the columns that are not there.
result<std::vector<std::size_t>> match_columns(const model& m, const csv::numeric_table& table);

/// Features of one row, in the model's order.
std::vector<double> pick_row(const csv::numeric_table& table, const std::vector<std::size_t>& columns, std::size_t row);

/// `row,score,risk` and `reason_k,contribution_k` for k = 1 ... reasons.
std::string score_header(std::size_t reasons);

/// One line of that table. Contributions are in log2 of the score, the largest first; the places of reasons that the
/// model has no more columns for stay empty.
std::string score_line(const model& m, std::size_t row, std::span<const double> features, std::size_t reasons);

} // namespace pulse::detection
