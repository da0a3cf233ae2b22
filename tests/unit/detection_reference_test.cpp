// The scorer against scikit-learn's own numbers: a forest it fitted, 100 rows, 1e-12.
#include <cmath>
#include <fstream>
#include <functional>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "models/detection/model_data.hpp"

using namespace pulse::detection;

namespace {

float not_above(double t) {
  const auto f = static_cast<float>(t);
  return f > t ? std::nextafter(f, -INFINITY) : f;
}

tree read_reference_tree(const nlohmann::json& from, std::span<const double> c) {
  tree out;
  const std::function<void(int, int)> add = [&](int i, int depth) {
    const auto at = static_cast<std::size_t>(i);
    const auto here = out.size();
    const auto n = from["n"][at].get<std::uint32_t>();
    out.push_back({0, 0, 0, n, leaf, static_cast<std::uint16_t>(depth)});
    if (from["left"][at].get<int>() < 0)
      return;
    out[here].feature = from["feature"][at].get<std::uint16_t>();
    out[here].threshold = not_above(from["threshold"][at].get<double>());
    add(from["left"][at].get<int>(), depth + 1);
    out[here].right = static_cast<std::uint32_t>(out.size());
    add(from["right"][at].get<int>(), depth + 1);
  };
  add(0, 0);
  finish_tree(out, c);
  return out;
}

} // namespace

TEST_CASE("scores of scikit-learn's forest are met to 1e-12", "[detection][f:5.1]") {
  std::ifstream file(PULSE_SOURCE_DIR "/tests/unit/data/reference_forest.json");
  const auto reference = nlohmann::json::parse(file);
  forest f;
  f.psi = reference["psi"].get<std::uint32_t>();
  const auto c = path_length_table(f.psi);
  std::vector<tree> trees;
  for (const auto& t : reference["trees"])
    trees.push_back(read_reference_tree(t, c));
  f.c = c.back();
  f.trees = packed_trees(trees, c);
  REQUIRE(f.trees.size() == 10);
  for (std::size_t i = 0; i < reference["rows"].size(); ++i) {
    std::vector<float> row;
    for (const auto& x : reference["features"][i])
      row.push_back(to_feature(x.get<double>()));
    const auto score = std::exp2(f.log2_score(row, false));
    CHECK(std::abs(score - reference["score"][i].get<double>()) < 1e-12);
  }
}

TEST_CASE("the average path length is the paper's", "[detection][f:5.1]") {
  CHECK(average_path_length(0) == 0);
  CHECK(average_path_length(1) == 0);
  CHECK(average_path_length(2) == 1);
  CHECK(std::abs(average_path_length(3) - (2 * (std::log(2.0) + 0.57721566490153286) - 4.0 / 3)) < 1e-14);
}
