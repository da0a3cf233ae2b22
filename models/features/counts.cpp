// The small counters that entities are made of: amounts, hours of day, recent values, amounts by category; see
// entity.hpp.
#include <algorithm>
#include <cmath>

#include "models/features/entity.hpp"

namespace pulse::features {

void amount_stats::add(double log_amount, std::uint32_t fade_at) {
  sum += std::llround(log_amount * 1e6);
  squares += std::llround(log_amount * log_amount * 1e6);
  if (++n >= fade_at)
    n /= 2, sum /= 2, squares /= 2;
}

double amount_stats::mean() const {
  return n == 0 ? 0 : static_cast<double>(sum) / 1e6 / n;
}

double amount_stats::variance() const {
  if (n < 2)
    return 0;
  const auto m = mean();
  return std::max(0.0, (static_cast<double>(squares) / 1e6 - n * m * m) / (n - 1));
}

void amount_stats::write(binary::writer& out) const {
  out.put(n);
  out.put(sum);
  out.put(squares);
}

void amount_stats::read(binary::reader& in) {
  n = in.get<std::uint32_t>();
  sum = in.get<std::int64_t>();
  squares = in.get<std::int64_t>();
}

void hour_counts::add(int hour, std::uint32_t fade_at) {
  ++count[static_cast<std::size_t>(hour)];
  if (++total < fade_at)
    return;
  total = 0;
  for (auto& c : count)
    total += c /= 2;
}

void hour_counts::write(binary::writer& out) const {
  for (auto c : count)
    out.put_varint(c);
}

bool hour_counts::read(binary::reader& in) {
  total = 0;
  for (auto& c : count)
    total += c = static_cast<std::uint32_t>(in.get_varint());
  return in.ok();
}

bool recent_set::contains(std::uint64_t hash) const {
  return std::find(items_.begin(), items_.end(), hash) != items_.end();
}

void recent_set::add(std::uint64_t hash) {
  std::erase(items_, hash);
  if (items_.size() == size_max)
    items_.erase(items_.begin());
  items_.push_back(hash);
}

void recent_set::write(binary::writer& out) const {
  out.put(static_cast<std::uint8_t>(items_.size()));
  for (auto hash : items_)
    out.put(hash);
}

bool recent_set::read(binary::reader& in) {
  const auto n = in.get<std::uint8_t>();
  if (n > size_max)
    return false;
  items_.resize(n);
  for (auto& hash : items_)
    hash = in.get<std::uint64_t>();
  return in.ok();
}

const amount_stats* category_amounts::find(std::uint64_t category) const {
  const auto at = std::find_if(items_.begin(), items_.end(), [&](const item& i) { return i.category == category; });
  return at == items_.end() ? nullptr : &at->amounts;
}

void category_amounts::add(std::uint64_t category, double log_amount, std::uint32_t fade_at) {
  const auto at = std::find_if(items_.begin(), items_.end(), [&](const item& i) { return i.category == category; });
  if (at != items_.end()) {
    std::rotate(at, at + 1, items_.end());
  } else {
    if (items_.size() == size_max)
      items_.erase(items_.begin());
    items_.push_back({category, {}});
  }
  items_.back().amounts.add(log_amount, fade_at);
}

void category_amounts::write(binary::writer& out) const {
  out.put(static_cast<std::uint8_t>(items_.size()));
  for (const auto& i : items_) {
    out.put(i.category);
    i.amounts.write(out);
  }
}

bool category_amounts::read(binary::reader& in) {
  const auto n = in.get<std::uint8_t>();
  if (n > size_max)
    return false;
  items_.resize(n);
  for (auto& i : items_) {
    i.category = in.get<std::uint64_t>();
    i.amounts.read(in);
  }
  return in.ok();
}

} // namespace pulse::features
