// See chunk.hpp.
#include "models/risk/chunk.hpp"

#include <algorithm>
#include <tuple>

namespace pulse::scoring {

namespace {

void write_key(binary::writer& out, const key& k) {
  out.put_raw({reinterpret_cast<const char*>(k.data()), k.size()});
}

key read_key(binary::reader& in) {
  key out{};
  const auto raw = in.get_raw(out.size());
  std::copy(raw.begin(), raw.end(), out.begin());
  return out;
}

std::size_t entries_of(const features::population&) {
  return 0;
}

std::size_t entries_of(const features::linked& l) {
  return l.size();
}

template <class State>
std::size_t entries_of(const State& s) {
  return s.window.size();
}

/// Where labels said that there was fraud; these are forgotten last.
bool is_marked(const features::linked& l) {
  return l.frauds() > 0;
}

template <class State>
bool is_marked(const State&) {
  return false;
}

} // namespace

template <class State>
const State* entity_map<State>::find(const key& k) const {
  const auto at = entities_.find(k);
  return at == entities_.end() ? nullptr : &at->second.state;
}

template <class State>
void entity_map<State>::update(const key& k, const features::facts& f, log_offset at, std::size_t size_max,
                               std::size_t entries_max) {
  change(k, at, size_max, entries_max, [&](State& s) { s.update(f); });
}

template <>
void entity_map<features::linked>::add_frauds(const key& k, std::int64_t by, log_offset at, std::size_t size_max,
                                              std::size_t entries_max) {
  change(k, at, size_max, entries_max, [&](features::linked& s) { s.add_frauds(by); });
}

template <class State>
template <class F>
void entity_map<State>::change(const key& k, log_offset at, std::size_t size_max, std::size_t entries_max, F f) {
  auto& entity = entities_[k];
  entries_ -= entries_of(entity.state);
  f(entity.state);
  entity.updated = at;
  entries_ += entries_of(entity.state);
  if (entities_.size() > size_max || entries_ > entries_max)
    evict(size_max, entries_max);
}

template <class State>
void entity_map<State>::evict(std::size_t size_max, std::size_t entries_max) {
  std::vector<std::tuple<bool, log_offset, key>> by_age;
  by_age.reserve(entities_.size());
  for (const auto& [k, e] : entities_)
    by_age.emplace_back(is_marked(e.state), e.updated, k);
  std::sort(by_age.begin(), by_age.end());
  for (std::size_t i = 0; i + 1 < by_age.size(); ++i) {
    if (entities_.size() <= size_max - size_max / 8 && entries_ <= entries_max - entries_max / 8)
      return;
    const auto oldest = entities_.find(std::get<key>(by_age[i]));
    entries_ -= entries_of(oldest->second.state);
    entities_.erase(oldest);
  }
}

template <class State>
void entity_map<State>::write(binary::writer& out) const {
  std::vector<const key*> sorted;
  sorted.reserve(entities_.size());
  for (const auto& [k, e] : entities_)
    sorted.push_back(&k);
  std::sort(sorted.begin(), sorted.end(), [](const key* a, const key* b) { return *a < *b; });
  out.put_varint(sorted.size());
  for (const auto* k : sorted) {
    const auto& e = entities_.at(*k);
    write_key(out, *k);
    out.put(e.updated.value);
    e.state.write(out);
  }
}

template <class State>
bool entity_map<State>::read(binary::reader& in) {
  entities_.clear();
  entries_ = 0;
  const auto n = in.get_count(24);
  for (std::size_t i = 0; i < n; ++i) {
    const auto k = read_key(in);
    auto& e = entities_[k];
    e.updated = log_offset{in.get<std::int64_t>()};
    if (!e.state.read(in))
      return false;
    entries_ += entries_of(e.state);
  }
  return in.ok() && entities_.size() == n;
}

template <class State>
void entity_map<State>::lower_offsets(std::int64_t by) {
  for (auto& [k, e] : entities_)
    e.updated.value -= by;
}

template class entity_map<features::profile>;
template class entity_map<features::address>;
template class entity_map<features::population>;
template class entity_map<features::linked>;

bool recent_ids::seen_before(const key& id, log_offset at, time_ms received) const {
  const auto known = known_.find(id);
  if (known == known_.end())
    return false;
  const auto [first, when] = known->second;
  // At its own offset an event meets itself: it is being replayed.
  return first < at && received.value - when.value <= day_ms;
}

void recent_ids::add(const key& id, log_offset at, time_ms received, std::size_t size_max) {
  known_[id] = {at, received};
  order_.push_back({id, at, received});
  while (order_.size() > size_max || order_.front().received.value < received.value - day_ms)
    forget_first();
}

void recent_ids::forget_first() {
  const auto& first = order_.front();
  // The same id may have come again after a day: then the later entry is the one that counts.
  if (const auto known = known_.find(first.id); known != known_.end() && known->second.first == first.at)
    known_.erase(known);
  order_.pop_front();
}

void recent_ids::write(binary::writer& out) const {
  out.put_varint(order_.size());
  for (const auto& e : order_) {
    write_key(out, e.id);
    out.put(e.at.value);
    out.put(e.received.value);
  }
}

bool recent_ids::read(binary::reader& in) {
  order_.clear();
  known_.clear();
  const auto n = in.get_count(32);
  for (std::size_t i = 0; i < n; ++i) {
    const auto id = read_key(in);
    const log_offset at{in.get<std::int64_t>()};
    const time_ms received{in.get<std::int64_t>()};
    known_[id] = {at, received};
    order_.push_back({id, at, received});
  }
  return in.ok();
}

void recent_ids::lower_offsets(std::int64_t by) {
  for (auto& e : order_)
    e.at.value -= by;
  for (auto& [id, seen] : known_)
    seen.first.value -= by;
}

bool applied_batches::contains(const uuid& id) const {
  return std::find(ids_.begin(), ids_.end(), id) != ids_.end();
}

void applied_batches::add(const uuid& id) {
  ids_.push_back(id);
  if (ids_.size() > size_max)
    ids_.pop_front();
}

void applied_batches::write(binary::writer& out) const {
  out.put_varint(ids_.size());
  for (const auto& id : ids_)
    write_key(out, id.bytes);
}

bool applied_batches::read(binary::reader& in) {
  ids_.clear();
  const auto n = in.get_count(16);
  for (std::size_t i = 0; i < n; ++i)
    ids_.push_back(uuid{read_key(in)});
  return in.ok() && ids_.size() <= size_max;
}

void chunk::write(binary::writer& out) const {
  profiles.write(out);
  addresses.write(out);
  populations.write(out);
  ids.write(out);
  scores.write(out);
  linked.write(out);
  labels.write(out);
}

bool chunk::read(binary::reader& in, std::uint16_t version) {
  if (!profiles.read(in) || !addresses.read(in) || !populations.read(in) || !ids.read(in) || !scores.read(in))
    return false;
  return version < 3 || (linked.read(in) && labels.read(in));
}

void chunk::lower_offsets(std::int64_t by) {
  profiles.lower_offsets(by);
  addresses.lower_offsets(by);
  populations.lower_offsets(by);
  linked.lower_offsets(by);
  ids.lower_offsets(by);
}

} // namespace pulse::scoring
