#include "http/middleware/key_gate.hpp"

namespace pulse::http {

key_gate::key_gate(key_directory& directory, const clock& time, config c) :
  directory_(directory), time_(time), config_(c), cache_(c.cache) {
}

void key_gate::check(std::string_view presented, checked done) {
  auto key = parse_api_key(presented);
  if (!key) {
    done(error{ec::unauthorized, "the API key is not known", ""});
    return;
  }
  const std::string key_id(key->id());
  std::unique_lock lock(mutex_);
  const auto now = time_.monotonic_ms();
  const auto known = cache_.look(key_id, now);
  if (known.what != key_cache::state::ask) {
    lock.unlock();
    std::vector<waiting> callers;
    callers.push_back({std::move(*key), std::move(done)});
    tell(known, std::move(callers));
    return;
  }
  if (const auto at = questions_.find(key_id); at != questions_.end()) {
    at->second.callers.push_back({std::move(*key), std::move(done)});
    return;
  }
  if (questions_.size() >= config_.asking_max) {
    lock.unlock();
    done(error{ec::unavailable, "too many keys are being checked", ""});
    return;
  }
  const auto number = ++last_number_;
  auto& q = questions_[key_id];
  q.number = number;
  q.asked_ms = now;
  q.callers.push_back({std::move(*key), std::move(done)});
  lock.unlock();
  directory_.find(key_id, [self = weak_from_this(), key_id, number](result<std::optional<key_record>> found) {
    if (auto gate = self.lock())
      gate->answered(key_id, number, std::move(found));
  });
}

void key_gate::answered(const std::string& key_id, std::uint64_t number, result<std::optional<key_record>> found) {
  std::vector<waiting> callers;
  key_cache::answer known;
  {
    const std::lock_guard lock(mutex_);
    const auto at = questions_.find(key_id);
    // An answer to a question that was given up, or asked anew, is not to be believed as fresh.
    if (at == questions_.end() || at->second.number != number)
      return;
    // The answer is as old as the question: counting from its arrival would let a revoked key live longer.
    const auto asked = at->second.asked_ms;
    callers = std::move(at->second.callers);
    questions_.erase(at);
    if (!found) {
      known = cache_.failed(key_id, time_.monotonic_ms());
    } else {
      cache_.put(key_id, *found, asked);
      known = *found ? key_cache::answer{key_cache::state::known, **found}
                     : key_cache::answer{key_cache::state::unknown, {}};
    }
  }
  tell(known, std::move(callers));
}

void key_gate::tell(const key_cache::answer& known, std::vector<waiting> callers) {
  const auto now = time_.now();
  for (auto& caller : callers) {
    if (known.what == key_cache::state::known)
      caller.done(admit(caller.key, known.record, now));
    else if (known.what == key_cache::state::unknown)
      caller.done(error{ec::unauthorized, "the API key is not known", ""});
    else
      caller.done(error{ec::unavailable, "the API key cannot be checked now", ""});
  }
}

void key_gate::tick() {
  std::vector<std::pair<std::string, std::uint64_t>> late;
  {
    const std::lock_guard lock(mutex_);
    const auto now = time_.monotonic_ms();
    for (const auto& [key_id, q] : questions_)
      if (now - q.asked_ms >= config_.ask_timeout_ms)
        late.emplace_back(key_id, q.number);
  }
  for (const auto& [key_id, number] : late)
    answered(key_id, number, error{ec::timeout, "the key directory does not answer", ""});
}

void key_gate::forget(std::string_view key_id) {
  const std::lock_guard lock(mutex_);
  cache_.forget(key_id);
}

} // namespace pulse::http
