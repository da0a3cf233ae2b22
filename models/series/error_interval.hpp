// What errors of the past say about the next one.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace pulse::series {

/// Lower and upper end of the errors' middle `level`: the conformal quantile, rank (n + 1) p (Vovk et al. 2005). Errors
/// that were made at one of the `origins` go together, so only origins count as independent of each other: where they
/// are too few to have such a rank, Student's t with their degrees of freedom.
std::pair<double, double> error_interval(std::vector<double> errors, std::size_t origins, double level);

} // namespace pulse::series
