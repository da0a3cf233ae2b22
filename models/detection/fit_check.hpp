// What can be fitted at all.
#pragma once

#include <string>
#include <vector>

#include "models/detection/model.hpp"

namespace pulse::detection {

/// Errors: `invalid`, with what is wrong and what is possible.
result<void> check_fit(matrix_view rows, const std::vector<std::string>& names, const fit_options& options);

} // namespace pulse::detection
