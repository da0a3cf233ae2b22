// See row_block.hpp.
#include "models/detection/row_block.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace pulse::detection {

namespace {

// Vectors as the compiler knows them (GCC manual, "Using Vector Instructions"): it makes two of half the width from one
// where a processor has no wider ones. The same answers on all of them.
using floats = float __attribute__((vector_size(32)));
using answers = std::int32_t __attribute__((vector_size(32)));

constexpr std::size_t width = sizeof(floats) / sizeof(float);
constexpr std::size_t vectors = row_block::at_once / width;

/// Which way each row goes at each level: 0 left, -1 right.
struct ways {
  answers at[top_splits::depth][vectors];
};

/// What a level answers: of all its splits those that the first `known` turns lead to.
template <int level, int known = 0>
[[gnu::always_inline]] inline void ask(const top_splits& t, const ways& w, std::size_t i, std::size_t v,
                                       std::size_t split, answers& out) {
  if constexpr (known == level) {
    const auto n = (std::size_t{1} << level) - 1 + split;
    floats x;
    std::memcpy(&x, t.column[n] + i + v * width, sizeof x);
    out = x > t.threshold[n];
  } else {
    answers left, right;
    ask<level, known + 1>(t, w, i, v, 2 * split, left);
    ask<level, known + 1>(t, w, i, v, 2 * split + 1, right);
    out = w.at[known][v] ? right : left;
  }
}

template <int level>
[[gnu::always_inline]] inline void ask_level(const top_splits& t, std::size_t i, ways& w) {
  for (std::size_t v = 0; v < vectors; ++v)
    ask<level>(t, w, i, v, 0, w.at[level][v]);
}

[[gnu::always_inline]] inline void find_places(const top_splits& t, std::size_t i, std::int32_t* out) {
  ways w;
  ask_level<0>(t, i, w);
  ask_level<1>(t, i, w);
  ask_level<2>(t, i, w);
  ask_level<3>(t, i, w);
  ask_level<4>(t, i, w);
  for (std::size_t v = 0; v < vectors; ++v) {
    answers place{};
    for (const auto& level : w.at)
      place = 2 * place - level[v];
    std::memcpy(out + v * width, &place, sizeof place);
  }
}

#if defined(__x86_64__)

[[gnu::target("avx2")]] void find_places_wide(const top_splits& t, std::size_t i, std::int32_t* out) {
  find_places(t, i, out);
}

bool has_wide() {
  static const bool out = __builtin_cpu_supports("avx2") != 0;
  return out;
}

#else

void find_places_wide(const top_splits& t, std::size_t i, std::int32_t* out) {
  find_places(t, i, out);
}

bool has_wide() {
  return false;
}

#endif

} // namespace

row_block::row_block(std::span<const float> rows, std::size_t columns) :
  rows_(rows),
  columns_(columns),
  size_(rows.size() / columns),
  has_missing_(std::any_of(rows.begin(), rows.end(), [](float x) { return std::isnan(x); })) {
  if (has_missing_)
    return;
  by_column_.resize(rows.size());
  for (std::size_t i = 0; i < size_; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      by_column_[j * size_ + i] = rows[i * columns + j];
}

void top_splits::places(std::size_t i, std::span<std::int32_t, row_block::at_once> out) const {
  if (has_wide())
    find_places_wide(*this, i, out.data());
  else
    find_places(*this, i, out.data());
}

} // namespace pulse::detection
