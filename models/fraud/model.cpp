// See model.hpp.
#include "models/fraud/model.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "models/binary/bytes.hpp"

namespace pulse::fraud {

namespace {

constexpr std::string_view magic = "PULSEFRD";
constexpr std::uint16_t version = 1;
constexpr std::size_t features_max = 4'096;
constexpr std::size_t tree_nodes_max = 65'536;

error broken(std::string_view what) {
  return {ec::corrupt, fmt::format("fraud model: {}", what), {}};
}

/// Children stand behind their parent and within the tree, so that every way ends.
bool is_tree(std::span<const node> tree, std::size_t features) {
  for (std::size_t i = 0; i < tree.size(); ++i) {
    const auto& n = tree[i];
    if (!std::isfinite(n.threshold) || !std::isfinite(n.value))
      return false;
    if (n.left != 0 && (n.left <= i || n.left + 1 >= tree.size() || n.feature >= features))
      return false;
  }
  return !tree.empty();
}

const node& next(const node* root, const node& at, std::span<const float> row) {
  const auto x = row[at.feature];
  const auto left = std::isnan(x) ? at.missing_left : x < at.threshold;
  return root[at.left + (left ? 0 : 1)];
}

} // namespace

model::model(std::vector<std::string> features, float base, std::vector<std::vector<node>> trees) :
  features_(std::move(features)), base_(base) {
  for (const auto& t : trees) {
    PULSE_ASSERT(is_tree(t, features_.size()), "a tree");
    starts_.push_back(static_cast<std::uint32_t>(nodes_.size()));
    nodes_.insert(nodes_.end(), t.begin(), t.end());
  }
}

float model::margin(std::span<const float> row) const {
  PULSE_ASSERT(row.size() == features_.size(), "a row has one number per feature");
  // Added up in single precision and in the trees' order, as the library does.
  float sum = base_;
  for (auto start : starts_) {
    const auto* root = &nodes_[start];
    const auto* at = root;
    while (at->left != 0)
      at = &next(root, *at, row);
    sum += at->threshold;
  }
  return sum;
}

double model::probability(std::span<const float> row) const {
  return 1 / (1 + std::exp(-static_cast<double>(margin(row))));
}

double model::base() const {
  double sum = base_;
  for (auto start : starts_)
    sum += static_cast<double>(nodes_[start].value);
  return sum;
}

std::vector<contribution> model::explain(std::span<const float> row) const {
  PULSE_ASSERT(row.size() == features_.size(), "a row has one number per feature");
  std::vector<contribution> out(row.size());
  for (std::size_t j = 0; j < out.size(); ++j)
    out[j].feature = j;
  for (auto start : starts_) {
    const auto* root = &nodes_[start];
    const auto* at = root;
    while (at->left != 0) {
      const auto& to = next(root, *at, row);
      out[at->feature].amount += static_cast<double>(to.value) - static_cast<double>(at->value);
      at = &to;
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.amount > b.amount; });
  return out;
}

std::string model::save() const {
  binary::writer out;
  out.put_varint(features_.size());
  for (const auto& f : features_)
    out.put_text(f);
  out.put(base_);
  out.put_varint(starts_.size());
  for (std::size_t t = 0; t < starts_.size(); ++t) {
    const auto end = t + 1 < starts_.size() ? starts_[t + 1] : nodes_.size();
    out.put_varint(end - starts_[t]);
    for (std::size_t i = starts_[t]; i < end; ++i) {
      const auto& n = nodes_[i];
      out.put_varint(n.left);
      out.put(n.threshold);
      out.put(n.value);
      if (n.left != 0)
        out.put_varint(n.feature * 2u + n.missing_left);
    }
  }
  return binary::seal(magic, version, out.bytes());
}

result<model> model::load(std::string_view bytes) {
  const auto payload = binary::unseal(magic, version, bytes);
  if (!payload)
    return broken(payload.err().detail);
  binary::reader in(*payload);
  std::vector<std::string> features;
  const auto columns = in.get_count();
  for (std::size_t j = 0; j < columns; ++j)
    features.emplace_back(in.get_text());
  const auto base = in.get<float>();
  const auto count = in.get_count(10);
  if (!in.ok() || columns < 1 || columns > features_max || !std::isfinite(base))
    return broken("its head is impossible");
  std::vector<std::vector<node>> trees;
  for (std::size_t t = 0; t < count; ++t) {
    const auto size = in.get_count(9);
    if (size > tree_nodes_max)
      return broken(fmt::format("tree {} is too large", t));
    std::vector<node> tree(size);
    for (auto& n : tree) {
      n.left = static_cast<std::uint32_t>(std::min<std::uint64_t>(in.get_varint(), tree_nodes_max));
      n.threshold = in.get<float>();
      n.value = in.get<float>();
      if (n.left != 0) {
        const auto split = std::min<std::uint64_t>(in.get_varint(), 2 * features_max);
        n.feature = static_cast<std::uint16_t>(split / 2);
        n.missing_left = split % 2 == 1;
      }
    }
    if (!in.ok() || !is_tree(tree, columns))
      return broken(fmt::format("tree {} is no tree", t));
    trees.push_back(std::move(tree));
  }
  if (!in.ok() || !in.at_end())
    return broken("its length does not match its content");
  return model(std::move(features), base, std::move(trees));
}

} // namespace pulse::fraud
