// See categories.hpp.
#include "models/detection/categories.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/detection/random.hpp"

namespace pulse::detection {

namespace {

/// Apart from the streams of the trees and the neighbours.
constexpr std::uint64_t order_stream = std::uint64_t{0xfe} << 32;

std::vector<float> random_order(std::size_t levels, random_stream& random) {
  std::vector<float> out(levels);
  std::iota(out.begin(), out.end(), 0.0f);
  for (auto i = levels; i > 1; --i)
    std::swap(out[i - 1], out[random.below(static_cast<std::uint32_t>(i))]);
  return out;
}

} // namespace

category_columns::category_columns(std::size_t features, std::vector<category> of, std::uint64_t random_state) :
  features_(features), of_(std::move(of)) {
  for (const auto& c : of_) {
    const auto all = std::accumulate(c.rows.begin(), c.rows.end(), std::uint64_t{0});
    // Half a row more for each, and one level more: none has no bits.
    const auto total = static_cast<double>(all) + 0.5 * static_cast<double>(c.rows.size() + 1);
    const auto bits_of = [total](std::uint64_t rows) {
      return static_cast<float>(-std::log2((static_cast<double>(rows) + 0.5) / total));
    };
    auto& bits = bits_.emplace_back();
    for (auto n : c.rows)
      bits.push_back(bits_of(n));
    unseen_.push_back(bits_of(0));
    random_stream random(random_state, order_stream | c.column);
    auto& ranks = ranks_.emplace_back();
    for (std::size_t k = 0; k < orders; ++k) {
      const auto order = random_order(c.levels.size(), random);
      ranks.insert(ranks.end(), order.begin(), order.end());
    }
  }
}

category_columns category_columns::count(matrix_view rows, const std::vector<category_levels>& given,
                                         std::uint64_t random_state) {
  std::vector<category> out;
  for (const auto& g : given) {
    auto& c = out.emplace_back(category{g.column, g.levels, std::vector<std::uint64_t>(g.levels.size())});
    for (std::size_t i = 0; i < rows.rows; ++i)
      if (const auto level = c.place_of(rows.values[i * rows.columns + g.column]))
        ++c.rows[*level];
  }
  return category_columns(rows.columns, std::move(out), random_state);
}

void category_columns::widen(std::span<const double> row, std::span<double> out) const {
  std::copy(row.begin(), row.end(), out.begin());
  for (std::size_t i = 0; i < of_.size(); ++i) {
    const auto& c = of_[i];
    const auto level = c.place_of(row[c.column]);
    out[c.column] = std::isnan(row[c.column]) ? NAN : level ? bits_[i][*level] : unseen_[i];
    for (std::size_t k = 0; k < orders; ++k)
      out[features_ + i * orders + k] = level ? ranks_[i][k * c.levels.size() + *level] : NAN;
  }
}

matrix_view category_columns::widened(matrix_view rows, std::vector<double>& into) const {
  if (empty())
    return rows;
  into.resize(rows.rows * width());
  for (std::size_t i = 0; i < rows.rows; ++i)
    widen(rows.values.subspan(i * rows.columns, rows.columns), std::span(into).subspan(i * width(), width()));
  return {into, rows.rows, width()};
}

matrix_view category_columns::without_orders(matrix_view wide, std::vector<double>& into) const {
  if (empty())
    return wide;
  into.assign(wide.values.begin(), wide.values.end());
  for (std::size_t i = 0; i < into.size(); ++i)
    if (is_order(i % wide.columns))
      into[i] = NAN;
  return {into, wide.rows, wide.columns};
}

std::vector<std::uint16_t> category_columns::of_tree(std::size_t t) const {
  std::vector<std::uint16_t> out(features_);
  std::iota(out.begin(), out.end(), std::uint16_t{0});
  for (std::size_t i = 0; i < of_.size(); ++i)
    // Not all columns at the same turn.
    if (const auto turn = (t + i) % (orders + 1); turn > 0)
      out[of_[i].column] = static_cast<std::uint16_t>(features_ + i * orders + turn - 1);
  return out;
}

const category* category_columns::find(std::size_t column) const {
  const auto at = std::find_if(of_.begin(), of_.end(), [&](const auto& c) { return c.column == column; });
  return at == of_.end() ? nullptr : &*at;
}

double category_columns::typical(const category& c) const {
  return static_cast<double>(std::max_element(c.rows.begin(), c.rows.end()) - c.rows.begin());
}

std::size_t category_columns::memory_bytes() const {
  std::size_t out = 0;
  for (const auto& c : of_) {
    out += sizeof c + c.rows.capacity() * sizeof(std::uint64_t);
    for (const auto& level : c.levels)
      out += sizeof level + level.capacity();
  }
  for (const auto* lists : {&bits_, &ranks_})
    for (const auto& list : *lists)
      out += sizeof list + list.capacity() * sizeof(float);
  return out;
}

void category_columns::write(binary::writer& out) const {
  out.put_varint(of_.size());
  for (const auto& c : of_) {
    out.put_varint(c.column);
    out.put_varint(c.levels.size());
    for (std::size_t k = 0; k < c.levels.size(); ++k) {
      out.put_text(c.levels[k]);
      out.put_varint(c.rows[k]);
    }
  }
}

std::optional<category_columns> category_columns::read(binary::reader& in, std::size_t features,
                                                       std::uint64_t random_state) {
  const auto count = in.get_count(2);
  if (!in.ok() || count > features)
    return std::nullopt;
  std::vector<category> of(count);
  for (auto& c : of) {
    c.column = in.get_varint();
    const auto levels = in.get_count(2);
    for (std::size_t k = 0; k < levels; ++k) {
      c.levels.emplace_back(in.get_text());
      c.rows.push_back(in.get_varint());
    }
    const bool ascends = &c == of.data() || c.column > (&c)[-1].column;
    if (!in.ok() || c.column >= features || levels < 1 || levels > category_levels_max || !ascends)
      return std::nullopt;
    for (auto n : c.rows)
      if (n > 0xffffffffu)
        return std::nullopt;
  }
  if (!in.ok())
    return std::nullopt;
  return category_columns(features, std::move(of), random_state);
}

} // namespace pulse::detection
