#include "kafka/kafka_event_log.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "kafka/kafka_log_parts.hpp"

namespace pulse {

kafka_event_log::kafka_event_log(std::unique_ptr<parts> p) : parts_(std::move(p)) {
}

kafka_event_log::~kafka_event_log() = default;

result<std::unique_ptr<kafka_event_log>> kafka_event_log::open(const kafka_log_settings& settings) {
  if (const auto valid = settings.validate(); !valid)
    return valid.err();
  auto p = std::make_unique<parts>(settings);
  if (auto ok = p->open(); !ok)
    return ok.err();
  return std::unique_ptr<kafka_event_log>(new kafka_event_log(std::move(p)));
}

log_generation kafka_event_log::generation() const {
  return parts_->generation;
}

int kafka_event_log::slots() const {
  return parts_->settings.slots;
}

void kafka_event_log::append(log_topic topic, slot_id slot, std::vector<log_entry> entries, append_done done) {
  if (!parts_->has(topic, slot))
    parts_->producer->refuse(std::move(done), {ec::invalid, fmt::format("the log has no slot {}", slot.value), ""});
  else if (auto why = parts_->broken())
    parts_->producer->refuse(std::move(done), std::move(*why));
  else
    parts_->producer->append(topic, slot, std::move(entries), std::move(done));
}

result<std::vector<log_record>> kafka_event_log::read(log_topic topic, slot_id slot, log_offset from,
                                                      std::size_t records_max, std::size_t bytes_max) {
  if (!parts_->has(topic, slot))
    return error{ec::invalid, fmt::format("the log has no slot {}", slot.value), ""};
  if (auto why = parts_->broken())
    return *why;
  return parts_->reader->read(topic, slot, from, records_max, bytes_max);
}

log_offset kafka_event_log::end(log_topic topic, slot_id slot) const {
  return log_offset{parts_->at(topic, slot).end.load()};
}

log_offset kafka_event_log::begin(log_topic topic, slot_id slot) const {
  return log_offset{parts_->at(topic, slot).begin.load()};
}

result<void> kafka_event_log::trim(slot_id slot, log_offset below) {
  if (!parts_->has(log_topic::raw, slot))
    return error{ec::invalid, fmt::format("the log has no slot {}", slot.value), ""};
  auto& ends = parts_->at(log_topic::raw, slot);
  const auto to = std::min(below.value, ends.end.load());
  if (!parts_->settings.trim || to <= ends.begin)
    return {};
  ends.grow_begin(to);
  const std::lock_guard lock(parts_->mutex);
  auto& wanted = parts_->trims[static_cast<std::size_t>(slot.value)];
  wanted = std::max(wanted, to);
  return {};
}

void kafka_event_log::on_appended(slot_id slot, std::function<void()> wake) {
  if (parts_->has(log_topic::raw, slot))
    parts_->reader->on_appended(slot, std::move(wake));
}

result<void> kafka_event_log::healthy() const {
  const std::lock_guard lock(parts_->mutex);
  if (parts_->lost)
    return *parts_->lost;
  if (parts_->away)
    return *parts_->away;
  return {};
}

kafka_log_stats kafka_event_log::stats() const {
  kafka_log_stats out;
  out.writing = parts_->producer->counters();
  out.seeks = parts_->reader->seeks();
  out.records_read = parts_->reader->records_read();
  for (int s = 0; s < slots(); ++s)
    out.raw.push_back({slot_id{s}, begin(log_topic::raw, slot_id{s}), end(log_topic::raw, slot_id{s})});
  const std::lock_guard lock(parts_->mutex);
  out.producer = parts_->producer_numbers;
  out.consumer = parts_->consumer_numbers;
  return out;
}

} // namespace pulse
