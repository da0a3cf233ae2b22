// See fit_check.hpp.
#include "models/detection/fit_check.hpp"

#include <fmt/format.h>

#include "models/detection/categories.hpp"
#include "models/detection/tree.hpp"

namespace pulse::detection {

namespace {

result<void> refuse(std::string why) {
  return error{ec::invalid, std::move(why), {}};
}

result<void> check_categories(matrix_view rows, const fit_options& options) {
  for (std::size_t i = 0; i < options.categories.size(); ++i) {
    const auto& c = options.categories[i];
    if (c.column >= rows.columns || (i > 0 && c.column <= options.categories[i - 1].column))
      return refuse(fmt::format("categories[{}] is column {}; they ascend, below {}", i, c.column, rows.columns));
    if (c.levels.empty() || c.levels.size() > category_levels_max)
      return refuse(
          fmt::format("categories[{}] has {} levels; 1 to {} are possible", i, c.levels.size(), category_levels_max));
    if (!options.one_sided.empty() && options.one_sided[c.column])
      return refuse(fmt::format("categories[{}] is one-sided; words have no sides", i));
  }
  if (rows.columns + category_columns::orders * options.categories.size() >= leaf)
    return refuse("too many columns of words");
  return {};
}

} // namespace

result<void> check_fit(matrix_view rows, const std::vector<std::string>& names, const fit_options& options) {
  if (rows.rows == 0)
    return refuse("no rows to fit on");
  if (rows.columns == 0 || rows.columns >= leaf)
    return refuse(fmt::format("{} feature columns; 1 to 65,534 are possible", rows.columns));
  if (rows.rows > 0xffffffffu || rows.values.size() != rows.rows * rows.columns)
    return refuse("the matrix's size does not match its rows and columns");
  if (names.size() != rows.columns)
    return refuse(fmt::format("{} names for {} columns", names.size(), rows.columns));
  if (!options.one_sided.empty() && options.one_sided.size() != rows.columns)
    return refuse(fmt::format("one_sided has {} entries for {} columns", options.one_sided.size(), rows.columns));
  if (auto good = check_categories(rows, options); !good)
    return good;
  if (options.n_estimators < 1 || options.n_estimators > 10'000)
    return refuse(fmt::format("n_estimators is {}; 1 to 10,000 are possible", options.n_estimators));
  if (options.max_samples < 2 || options.max_samples > 65'536)
    return refuse(fmt::format("max_samples is {}; 2 to 65,536 are possible", options.max_samples));
  return {};
}

} // namespace pulse::detection
