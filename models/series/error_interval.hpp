// What errors of the past say about the next one.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace pulse::series {

struct past_error {
  past_error(double s, double w = 1) : size(s), weight(w) {
  }

  double size;
  /// How much it says of the next one (Barber et al. 2023).
  double weight;
};

/// Lower and upper end of the errors' middle `level`: the conformal quantile, rank (n + 1) p (Vovk et al. 2005), by
/// weight: the next one is as heavy as the heaviest. Errors that were made at one of the `origins` go together, so only
/// origins count as independent of each other: where they are too few to have such a rank, Student's t with their
/// degrees of freedom, whatever they weigh.
std::pair<double, double> error_interval(std::vector<past_error> errors, std::size_t origins, double level);

} // namespace pulse::series
