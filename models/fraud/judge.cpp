#include "models/fraud/judge.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "base/encoding.hpp"
#include "models/binary/bytes.hpp"

namespace pulse::fraud {

namespace {

constexpr std::string_view magic = "PULSEFRJ";
constexpr std::uint16_t version = 1;
constexpr std::size_t id_bytes = 16;

std::vector<float> highest_of(std::vector<float> margins, std::size_t max) {
  std::sort(margins.begin(), margins.end(), std::greater<>());
  margins.resize(std::min(margins.size(), max));
  return margins;
}

} // namespace

judge::judge(model trees, std::uint64_t seen, std::vector<float> highest) :
  trees_(std::move(trees)), seen_(seen), highest_(std::move(highest)) {
  const auto hash = sha256(save());
  id_ = to_hex(std::span(hash).first(id_bytes));
}

judge::judge(model trees, std::vector<float> legitimate) :
  judge(std::move(trees), legitimate.size(), highest_of(legitimate, kept_max)) {
  PULSE_ASSERT(seen_ > 0, "a margin to compare with");
}

double judge::tail(float margin) const {
  const auto below = std::upper_bound(highest_.begin(), highest_.end(), margin, std::greater<>());
  const auto at_least = static_cast<double>(below - highest_.begin());
  const auto n = static_cast<double>(seen_);
  if (below != highest_.end() || highest_.size() == seen_)
    return (at_least + 1) / (n + 1);
  // Below all that are kept: as likely as not among the rest.
  return std::max((at_least + 1) / (n + 1), 0.5);
}

std::string judge::save() const {
  binary::writer out;
  out.put_text(trees_.save());
  out.put_varint(seen_);
  out.put_varint(highest_.size());
  for (auto x : highest_)
    out.put(x);
  return binary::seal(magic, version, out.bytes());
}

result<judge> judge::load(std::string_view bytes) {
  const auto broken = [](std::string_view what) {
    return error{ec::corrupt, fmt::format("fraud model in force: {}", what), {}};
  };
  const auto payload = binary::unseal(magic, version, bytes);
  if (!payload)
    return broken(payload.err().detail);
  binary::reader in(*payload);
  auto trees = model::load(in.get_text());
  if (!trees)
    return trees.err();
  const auto seen = in.get_varint();
  std::vector<float> highest(in.get_count(sizeof(float)));
  for (auto& x : highest)
    x = in.get<float>();
  const bool good = in.ok() && in.at_end() && !highest.empty() &&
                    highest.size() <= std::min<std::uint64_t>(seen, kept_max) &&
                    std::is_sorted(highest.begin(), highest.end(), std::greater<>()) &&
                    std::all_of(highest.begin(), highest.end(), [](float x) { return std::isfinite(x); });
  if (!good)
    return broken("its content is impossible");
  return judge(std::move(*trees), seen, std::move(highest));
}

} // namespace pulse::fraud
