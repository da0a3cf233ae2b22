#include "http/middleware/key_cache.hpp"

#include <fmt/format.h>

namespace pulse::http {

template <class Value>
Value* key_cache::lru<Value>::find(std::string_view key) {
  const auto at = index_.find(key);
  if (at == index_.end())
    return nullptr;
  order_.splice(order_.begin(), order_, at->second);
  return &at->second->second;
}

template <class Value>
void key_cache::lru<Value>::put(std::string_view key, Value value) {
  if (auto* old = find(key)) {
    *old = std::move(value);
    return;
  }
  order_.emplace_front(std::string(key), std::move(value));
  index_.emplace(order_.front().first, order_.begin());
  if (order_.size() > max_)
    erase(order_.back().first);
}

template <class Value>
void key_cache::lru<Value>::erase(std::string_view key) {
  const auto at = index_.find(key);
  if (at == index_.end())
    return;
  const auto node = at->second;
  index_.erase(at);
  order_.erase(node);
}

key_cache::answer key_cache::look(std::string_view key_id, std::int64_t now_ms) {
  if (auto* entry = known_.find(key_id); entry != nullptr && now_ms < entry->ask_after_ms)
    return {state::known, entry->record};
  if (auto* entry = unknown_.find(key_id); entry != nullptr && now_ms < entry->until_ms)
    return {entry->away ? state::away : state::unknown, {}};
  return {state::ask, {}};
}

void key_cache::put(std::string_view key_id, const std::optional<key_record>& record, std::int64_t now_ms) {
  if (record) {
    known_.put(key_id, {*record, now_ms, now_ms + config_.fresh_ms});
    unknown_.erase(key_id);
  } else {
    known_.erase(key_id);
    unknown_.put(key_id, {now_ms + config_.unknown_ms, false});
  }
}

key_cache::answer key_cache::failed(std::string_view key_id, std::int64_t now_ms) {
  if (auto* entry = known_.find(key_id); entry != nullptr && now_ms - entry->checked_ms <= config_.stale_ms) {
    entry->ask_after_ms = std::min(now_ms + config_.backoff_ms, entry->checked_ms + config_.stale_ms);
    return {state::known, entry->record};
  }
  known_.erase(key_id);
  unknown_.put(key_id, {now_ms + config_.backoff_ms, true});
  return {state::away, {}};
}

void key_cache::forget(std::string_view key_id) {
  known_.erase(key_id);
  unknown_.erase(key_id);
}

result<principal> admit(const api_key& key, const key_record& record, time_ms now) {
  const auto given = key.hash();
  const auto as_text = [](const digest& d) {
    return std::string_view(reinterpret_cast<const char*>(d.data()), d.size());
  };
  const bool same = equal_constant_time(as_text(given), as_text(record.sha256));
  if (!same || (record.revoked && *record.revoked <= now))
    return error{ec::unauthorized, "the API key is not known", ""};
  if (record.expires && *record.expires <= now)
    return error{ec::unauthorized, "the API key has expired", ""};
  return principal{record.id, record.tenant, record.scopes, record.test, std::string(key.id())};
}

result<void> authorize(const principal& who, const route& r) {
  if (r.keyless || who.scopes.has(r.needed) || (r.publishable && who.scopes.has(scope::publishable)))
    return {};
  return error{ec::forbidden, fmt::format("the key has not the scope {}", to_string(r.needed)), ""};
}

} // namespace pulse::http
