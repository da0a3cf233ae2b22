#include "models/rules/window_store.hpp"

#include <algorithm>
#include <cstring>

#include "base/encoding.hpp"
#include "models/binary/chunk_file.hpp"

namespace pulse::rules {

namespace {

constexpr binary::chunk_format image_format{"PULSEWIN", 1, {}, "window chunk"};

std::size_t chunk_of(const features::key& entity) {
  return entity.back() % window_chunk_count;
}

/// Ten-thousandths of the unit; so that thousands of them add up without overflow.
std::int64_t amount_of(const event& e) {
  if (!e.amount)
    return 0;
  auto out = e.amount->minor;
  for (auto digits = minor_digits(e.amount->unit); digits < 4; ++digits)
    if (__builtin_mul_overflow(out, std::int64_t{10}, &out))
      return e.amount->minor < 0 ? INT64_MIN / 4096 : INT64_MAX / 4096;
  return std::clamp(out, INT64_MIN / 4096, INT64_MAX / 4096);
}

std::uint64_t front_of(const features::key& k) {
  std::uint64_t out = 0;
  std::memcpy(&out, k.data(), sizeof out);
  return out;
}

/// What of the event goes into windows of this spec, and under which entity; nothing when it does not count.
struct share {
  features::key entity;
  window_event what;
};

/// The entity whose window it is. Sums are kept by currency: amounts of two do not add up.
std::optional<features::key> entity_of(const window_spec& spec, const subject& s) {
  const auto& entity = s.entity_key(spec.of);
  if (!entity || spec.measure != measure::sum)
    return entity;
  if (!s.of().amount)
    return std::nullopt;
  const std::string_view raw(reinterpret_cast<const char*>(entity->data()), entity->size());
  return hash_parts({raw, s.of().amount->unit.str()});
}

std::optional<share> share_of(const window_spec& spec, const subject& s) {
  const auto entity = entity_of(spec, s);
  if (!entity || !s.counts_for(spec))
    return std::nullopt;
  share out{*entity, {s.of().occurred_at, amount_of(s.of()), 0}};
  if (spec.measure == measure::distinct) {
    const auto& thing = s.entity_key(spec.what);
    if (!thing)
      return std::nullopt;
    out.what.thing = front_of(*thing);
  }
  return out;
}

} // namespace

std::size_t window_store::place_hash::operator()(const place& p) const noexcept {
  return static_cast<std::size_t>(p.spec * 0x9e3779b97f4a7c15ULL ^ front_of(p.entity));
}

window_store::window_store(window_limits limits) : limits_(limits) {
}

void window_store::keep_only(std::span<const input> inputs) {
  specs_.clear();
  for (const auto& i : inputs)
    if (i.kind == input_kind::window)
      specs_.emplace_back(i.window_id, i.window);
  std::sort(specs_.begin(), specs_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  specs_.erase(
      std::unique(specs_.begin(), specs_.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
      specs_.end());
  const auto is_kept = [this](std::uint64_t spec) {
    return std::any_of(specs_.begin(), specs_.end(), [&](const auto& s) { return s.first == spec; });
  };
  for (auto& c : chunks_) {
    const auto gone = std::erase_if(c.windows, [&](const auto& w) {
      if (is_kept(w.first.spec))
        return false;
      c.entries -= w.second.state.size();
      return true;
    });
    c.dirty = c.dirty || gone > 0;
  }
}

window_answer window_store::answer(const input& i, const subject& s, bool& named) const {
  const auto entity = entity_of(i.window, s);
  named = entity.has_value();
  if (!entity)
    return {};
  const auto& windows = chunks_[chunk_of(*entity)].windows;
  const auto found = windows.find({i.window_id, *entity});
  static const window nothing;
  const auto self = share_of(i.window, s);
  return (found == windows.end() ? nothing : found->second.state)
      .ask(i.window, i.width_ms, s.of().occurred_at, self ? &self->what : nullptr);
}

value window_store::ask(const input& i, const subject& s) const {
  bool named = false;
  const auto a = answer(i, s, named);
  if (!named || a.too_late)
    return {};
  if (i.window.measure != measure::sum)
    return value::whole(a.total);
  std::int64_t micro = 0;
  if (__builtin_mul_overflow(a.total, std::int64_t{100}, &micro))
    return {};
  return value::money_micro(micro, s.of().amount->unit);
}

bool window_store::saturated(const input& i, const subject& s) const {
  bool named = false;
  return answer(i, s, named).saturated;
}

void window_store::fold(const subject& s, log_offset at) {
  for (const auto& [id, spec] : specs_) {
    const auto mine = share_of(spec, s);
    if (!mine)
      continue;
    auto& c = chunks_[chunk_of(mine->entity)];
    auto& w = c.windows[{id, mine->entity}];
    c.entries -= w.state.size();
    w.state.add(spec, mine->what);
    c.entries += w.state.size();
    w.updated = at;
    c.dirty = true;
    if (c.windows.size() > limits_.windows || c.entries > limits_.entries)
      c.evict(limits_);
  }
}

void window_store::chunk::evict(const window_limits& limits) {
  std::vector<std::pair<log_offset, place>> by_age;
  by_age.reserve(windows.size());
  for (const auto& [p, w] : windows)
    by_age.emplace_back(w.updated, p);
  std::sort(by_age.begin(), by_age.end());
  for (std::size_t i = 0; i + 1 < by_age.size(); ++i) {
    if (windows.size() <= limits.windows - limits.windows / 8 && entries <= limits.entries - limits.entries / 8)
      return;
    const auto oldest = windows.find(by_age[i].second);
    entries -= oldest->second.state.size();
    windows.erase(oldest);
  }
}

void window_store::chunk::write(binary::writer& out) const {
  std::vector<place> order;
  order.reserve(windows.size());
  for (const auto& [p, w] : windows)
    order.push_back(p);
  std::sort(order.begin(), order.end());
  out.put_varint(order.size());
  for (const auto& p : order) {
    const auto& w = windows.at(p);
    out.put(p.spec);
    out.put_raw({reinterpret_cast<const char*>(p.entity.data()), p.entity.size()});
    out.put(w.updated.value);
    w.state.write(out);
  }
}

bool window_store::chunk::read(binary::reader& in, std::uint16_t) {
  const auto n = in.get_count(8 + 16 + 8 + 17);
  for (std::size_t i = 0; i < n && in.ok(); ++i) {
    place p;
    p.spec = in.get<std::uint64_t>();
    const auto raw = in.get_raw(p.entity.size());
    std::copy(raw.begin(), raw.end(), p.entity.begin());
    kept w;
    w.updated = log_offset{in.get<std::int64_t>()};
    if (!w.state.read(in))
      return false;
    entries += w.state.size();
    windows.emplace(p, std::move(w));
  }
  return in.ok();
}

void window_store::chunk::lower_offsets(std::int64_t by) {
  for (auto& [p, w] : windows)
    w.updated.value -= by;
}

result<window_image> window_store::rebased(const window_image& image, std::int64_t by, log_offset as_of) {
  return binary::rebased<window_chunk_count, chunk>(image_format, image, by, as_of);
}

result<void> window_store::load(const window_image& image) {
  return binary::load_chunk(image_format, image, chunks_);
}

std::vector<window_image> window_store::take_dirty_images(log_offset as_of) {
  return binary::take_dirty<window_image>(image_format, chunks_, as_of);
}

std::size_t window_store::size() const {
  std::size_t out = 0;
  for (const auto& c : chunks_)
    out += c.windows.size();
  return out;
}

} // namespace pulse::rules
