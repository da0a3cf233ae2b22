// See fit.hpp.
#include "models/fraud/fit.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <xgboost/c_api.h>

namespace pulse::fraud {

namespace {

using json = nlohmann::json;

/// Frauds from which on a tenant's own model weighs as much as the pooled one.
constexpr double shrinkage_frauds = 50;

struct matrix_closer {
  void operator()(void* handle) const {
    XGDMatrixFree(handle);
  }
};

struct booster_closer {
  void operator()(void* handle) const {
    XGBoosterFree(handle);
  }
};

using matrix_ptr = std::unique_ptr<void, matrix_closer>;
using booster_ptr = std::unique_ptr<void, booster_closer>;

error library_error(const char* step) {
  return {ec::internal, fmt::format("xgboost, {}: {}", step, XGBGetLastError()), {}};
}

result<void> check(const labelled_rows& rows, const std::vector<std::string>& names, const fit_options& options) {
  const auto refuse = [](std::string why) -> result<void> {
    return error{ec::invalid, std::move(why), {}};
  };
  const auto n = rows.label.size();
  if (n == 0 || names.empty() || rows.values.size() != n * names.size())
    return refuse("rows, labels and names do not match, or there are none");
  if (!options.monotone.empty() && options.monotone.size() != names.size())
    return refuse("monotone has one entry per feature");
  const auto frauds = std::count(rows.label.begin(), rows.label.end(), 1.0f);
  if (frauds == 0 || static_cast<std::size_t>(frauds) == n)
    return refuse(fmt::format("{} of {} labels are fraud: there is nothing to tell apart", frauds, n));
  return {};
}

std::vector<std::pair<std::string, std::string>> parameters(const fit_options& o) {
  std::vector<std::pair<std::string, std::string>> out{
      {"objective", "binary:logistic"},
      {"tree_method", "hist"},
      {"nthread", "1"},
      {"verbosity", "0"},
      {"base_score", "0.5"},
      {"seed", std::to_string(o.random_state)},
      {"max_depth", std::to_string(o.max_depth)},
      {"eta", fmt::format("{}", o.learning_rate)},
      {"min_child_weight", fmt::format("{}", o.min_child_weight)},
      {"lambda", fmt::format("{}", o.l2)},
  };
  if (!o.monotone.empty())
    out.emplace_back("monotone_constraints", fmt::format("({})", fmt::join(o.monotone, ",")));
  return out;
}

/// Numbers stand in the document as shortest decimals of floats: read as double and narrowed they are exact.
float at(const json& tree, const char* name, std::size_t i) {
  return static_cast<float>(tree[name][i].get<double>());
}

/// One tree, renumbered so that the right child stands behind the left one; values are weighted means of the leaves.
std::vector<node> flatten(const json& tree) {
  std::vector<node> out{{}};
  std::vector<std::size_t> from{0};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto k = from[i];
    out[i].threshold = at(tree, "split_conditions", k);
    const auto left = tree["left_children"][k].get<int>();
    if (left < 0) {
      out[i].value = out[i].threshold;
      continue;
    }
    out[i].left = static_cast<std::uint32_t>(out.size());
    out[i].feature = tree["split_indices"][k].get<std::uint16_t>();
    out[i].missing_left = tree["default_left"][k].get<int>() != 0;
    out.push_back({});
    out.push_back({});
    from.push_back(static_cast<std::size_t>(left));
    from.push_back(tree["right_children"][k].get<std::size_t>());
  }
  for (auto i = out.size(); i-- > 0;) {
    if (out[i].left == 0)
      continue;
    const auto l = out[i].left;
    const double a = at(tree, "sum_hessian", from[l]), b = at(tree, "sum_hessian", from[l + 1]);
    const auto share = a + b > 0 ? a / (a + b) : 0.5;
    out[i].value = static_cast<float>(share * static_cast<double>(out[l].value) +
                                      (1 - share) * static_cast<double>(out[l + 1].value));
  }
  return out;
}

result<model> read_booster(void* booster, std::vector<std::string> names) {
  bst_ulong size = 0;
  const char* text = nullptr;
  if (XGBoosterSaveModelToBuffer(booster, R"({"format":"json"})", &size, &text) != 0)
    return library_error("writing the model");
  const auto document = json::parse(text, text + size, nullptr, false);
  const auto path = json::json_pointer("/learner/gradient_booster/model/trees");
  if (document.is_discarded() || !document.contains(path))
    return error{ec::internal, "xgboost wrote a model that is not understood", {}};
  std::vector<std::vector<node>> trees;
  for (const auto& tree : document[path])
    trees.push_back(flatten(tree));
  // A base score of one half is a margin of 0.
  return model(std::move(names), 0, std::move(trees));
}

result<std::vector<float>> margins_of(void* booster, void* matrix) {
  const bst_ulong* shape = nullptr;
  bst_ulong dimensions = 0;
  const float* values = nullptr;
  constexpr auto config = R"({"type":1,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false})";
  if (XGBoosterPredictFromDMatrix(booster, matrix, config, &shape, &dimensions, &values) != 0)
    return library_error("predicting");
  return std::vector<float>(values, values + shape[0]);
}

} // namespace

result<fitted> fit(const labelled_rows& rows, std::vector<std::string> names, const fit_options& options,
                   bool with_library_margins) {
  if (auto good = check(rows, names, options); !good)
    return good.err();
  DMatrixHandle matrix_handle = nullptr;
  if (XGDMatrixCreateFromMat(rows.values.data(), rows.label.size(), names.size(), NAN, &matrix_handle) != 0)
    return library_error("taking the rows");
  const matrix_ptr matrix(matrix_handle);
  if (XGDMatrixSetFloatInfo(matrix.get(), "label", rows.label.data(), rows.label.size()) != 0)
    return library_error("taking the labels");
  BoosterHandle booster_handle = nullptr;
  if (XGBoosterCreate(&matrix_handle, 1, &booster_handle) != 0)
    return library_error("starting");
  const booster_ptr booster(booster_handle);
  for (const auto& [name, value] : parameters(options))
    if (XGBoosterSetParam(booster.get(), name.c_str(), value.c_str()) != 0)
      return library_error(name.c_str());
  for (std::uint32_t round = 0; round < options.rounds; ++round)
    if (XGBoosterUpdateOneIter(booster.get(), static_cast<int>(round), matrix.get()) != 0)
      return library_error("growing a tree");
  auto trees = read_booster(booster.get(), std::move(names));
  if (!trees)
    return trees.err();
  fitted out{std::move(*trees), {}};
  if (with_library_margins) {
    auto margins = margins_of(booster.get(), matrix.get());
    if (!margins)
      return margins.err();
    out.library_margins = std::move(*margins);
  }
  return out;
}

bool is_mature(time_ms occurred, time_ms now, std::int64_t delay_ms) {
  return now.value - occurred.value >= delay_ms;
}

double shrunk_margin(double own, double pooled, std::uint64_t own_frauds) {
  const auto n = static_cast<double>(own_frauds);
  const auto weight = n / (n + shrinkage_frauds);
  return weight * own + (1 - weight) * pooled;
}

} // namespace pulse::fraud
