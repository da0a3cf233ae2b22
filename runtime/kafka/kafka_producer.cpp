#include "kafka/kafka_producer.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "kafka/kafka_record.hpp"
#include "telemetry/log.hpp"

namespace pulse::kafka {

namespace {

constexpr std::size_t hold_bytes_max = 256 << 10;

/// Ours of librdkafka's words. Where it knows that nothing was written, it is `unavailable`; else the outcome is
/// unknown.
error to_error(const rd_kafka_message_t& message) {
  const auto detail = fmt::format("Kafka did not take a record for {}/{}: {}", rd_kafka_topic_name(message.rkt),
                                  message.partition, rd_kafka_err2str(message.err));
  if (message.err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
    return {ec::too_large, detail, ""};
  const bool nowhere = rd_kafka_message_status(&message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
  return {nowhere ? ec::unavailable : ec::timeout, detail, ""};
}

} // namespace

producer::producer(const kafka_log_settings& settings, appended on_appended, told on_stats) :
  settings_(settings), on_appended_(std::move(on_appended)), on_stats_(std::move(on_stats)) {
  for (int t = 0; t < topics; ++t)
    for (int s = 0; s < settings_.slots; ++s) {
      lanes_.push_back(std::make_unique<lane>());
      lanes_.back()->topic = static_cast<log_topic>(t);
      lanes_.back()->slot = slot_id{s};
    }
}

result<std::unique_ptr<client>> producer::make_client() {
  return client::make(
      settings_,
      {{"enable.idempotence", "true"},
       {"acks", "all"},
       {"compression.codec", settings_.compression},
       {"message.timeout.ms", std::to_string(settings_.message_timeout_ms)},
       {"message.max.bytes", std::to_string(record_bytes_max)},
       {"max.in.flight.requests.per.connection", "5"},
       // Lanes hold back by themselves; this is only the time in which one append is handed over.
       {"linger.ms", "0.2"},
       // Lanes bound what waits, each by itself: a common bound would let one partition fill it for all.
       {"queue.buffering.max.messages", "0"},
       {"queue.buffering.max.kbytes", "2147483647"}},
      &producer::on_report, this);
}

result<std::unique_ptr<producer>> producer::make(const kafka_log_settings& settings, appended on_appended,
                                                 told on_stats) {
  std::unique_ptr<producer> out(new producer(settings, std::move(on_appended), std::move(on_stats)));
  auto made = out->make_client();
  if (!made)
    return made.err();
  out->client_ = std::move(*made);
  out->main_queue_.reset(rd_kafka_queue_get_main(out->client_->handle()));
  out->thread_ = std::thread([p = out.get()] { p->run(); });
  return out;
}

void producer::append(log_topic topic, slot_id slot, std::vector<log_entry> entries, event_log::append_done done) {
  auto p = std::make_unique<pending>();
  p->since = std::chrono::steady_clock::now();
  p->done = std::move(done);
  for (const auto& e : entries)
    p->bytes += size_of(e);
  p->entries = std::move(entries);
  auto& l = *lanes_.at(static_cast<std::size_t>(static_cast<int>(topic) * settings_.slots + slot.value));
  p->owner = &l;
  std::unique_lock lock(l.mutex);
  if (auto why = refusal(l, *p)) {
    lock.unlock();
    refuse(std::move(p->done), std::move(*why));
    return;
  }
  l.bytes += p->bytes;
  queue_bytes_ += p->bytes;
  if (!l.busy.exchange(true))
    ++lanes_busy_;
  const bool at_once = l.under_way.empty() && l.held.empty();
  if (at_once) {
    hand_over(l, std::move(p));
  } else {
    l.held_bytes += p->bytes;
    l.held.push_back(std::move(p));
    ++holding_;
  }
  lock.unlock();
  if (!at_once || sleeping_)
    wake();
}

std::optional<error> producer::refusal(const lane& l, const pending& p) const {
  if (p.entries.empty())
    return error{ec::invalid, "an append without entries", ""};
  for (const auto& e : p.entries)
    if (size_of(e) + 512 > record_bytes_max)
      return error{ec::too_large, fmt::format("a record of {} bytes; {} is the most", size_of(e), record_bytes_max),
                   ""};
  if (l.stalled && !(l.under_way.empty() && l.held.empty()))
    return error{ec::unavailable, fmt::format("Kafka does not acknowledge slot {}; try again later", l.slot.value), ""};
  if (l.bytes > 0 && l.bytes + p.bytes > settings_.queue_bytes_max)
    return error{ec::unavailable, fmt::format("the queue of slot {} is full; try again later", l.slot.value), ""};
  return std::nullopt;
}

/// With the lane locked. Every entry goes to librdkafka, in order and with nothing of this node between them. When it
/// takes only some, the rest counts as reported.
void producer::hand_over(lane& l, std::unique_ptr<pending> p) {
  const std::shared_lock lock(client_mutex_);
  auto* handle = client_->handle();
  auto* topic = client_->topic(l.topic);
  l.under_way.push_back(std::move(p));
  auto& a = *l.under_way.back();
  a.self = std::prev(l.under_way.end());
  a.unreported = a.entries.size();
  for (std::size_t i = 0; i < a.entries.size(); ++i)
    if (!send(a, i, handle, topic)) {
      a.unreported -= a.entries.size() - i;
      break;
    }
  // Copied by librdkafka.
  std::vector<log_entry>().swap(a.entries);
  if (a.unreported == 0)
    finish(l, a);
}

bool producer::send(pending& p, std::size_t index, rd_kafka_t* handle, rd_kafka_topic_t* topic) {
  auto& e = p.entries[index];
  auto headers = headers_of(e);
  std::array<rd_kafka_vu_t, 7> v{};
  v[0].vtype = RD_KAFKA_VTYPE_RKT;
  v[0].u.rkt = topic;
  v[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  v[1].u.i32 = p.owner->slot.value;
  v[2].vtype = RD_KAFKA_VTYPE_KEY;
  v[2].u.mem = {e.key.data(), e.key.size()};
  v[3].vtype = RD_KAFKA_VTYPE_VALUE;
  v[3].u.mem = {e.value.data(), e.value.size()};
  v[4].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  v[4].u.i = RD_KAFKA_MSG_F_COPY;
  v[5].vtype = RD_KAFKA_VTYPE_HEADERS;
  v[5].u.headers = headers.get();
  v[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
  v[6].u.ptr = &p;
  const std::unique_ptr<rd_kafka_error_t, freed_by<rd_kafka_error_destroy>> problem(
      rd_kafka_produceva(handle, v.data(), v.size()));
  if (problem) {
    p.problem =
        error{index == 0 ? ec::unavailable : ec::timeout,
              fmt::format("Kafka's client did not take a record: {}", rd_kafka_error_string(problem.get())), ""};
    return false;
  }
  (void)headers.release();
  return true;
}

void producer::on_report(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  static_cast<producer*>(static_cast<client*>(opaque)->opaque())->report(*message);
}

void producer::report(const rd_kafka_message_t& message) {
  auto& p = *static_cast<pending*>(message._private);
  auto& l = *p.owner;
  const std::lock_guard lock(l.mutex);
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // What is unknown of one entry is unknown of the whole.
    if (!p.problem || p.problem->code == ec::unavailable)
      p.problem = to_error(message);
  } else {
    p.first = std::min(p.first, message.offset);
    p.last = std::max(p.last, message.offset);
    ++entries_;
    if (std::exchange(l.stalled, false))
      --lanes_stalled_;
  }
  if (--p.unreported == 0)
    finish(l, p);
}

/// With the lane locked: everything of an append is reported. Ends `p`.
void producer::finish(lane& l, pending& p) {
  // Some entries are there and one is surely not: of the whole that is unknown.
  if (p.problem && p.last >= 0)
    p.problem->code = ec::timeout;
  if (p.last >= 0 && on_appended_)
    on_appended_(l.topic, l.slot, p.last + 1);
  l.bytes -= p.bytes;
  queue_bytes_ -= p.bytes;
  if (p.done) {
    if (p.problem && p.problem->code == ec::timeout)
      ++unknown_;
    const std::lock_guard lock(answers_mutex_);
    answers_.push_back({std::move(p.done), p.problem ? result<log_offset>(*p.problem) : log_offset{p.first}});
  }
  l.under_way.erase(p.self);
}

void producer::refuse(event_log::append_done done, error why) {
  ++refused_;
  {
    const std::lock_guard lock(answers_mutex_);
    answers_.push_back({std::move(done), std::move(why)});
  }
  wake();
}

void producer::sweep(time_point now) {
  for (auto& l : lanes_)
    if (l->busy)
      sweep(*l, now);
}

void producer::sweep(lane& l, time_point now) {
  const std::lock_guard lock(l.mutex);
  expire(l, now);
  const bool due =
      l.under_way.empty() || l.held_bytes >= hold_bytes_max ||
      (!l.held.empty() && now - l.held.front()->since >= std::chrono::milliseconds(settings_.linger_ms_max));
  while (due && !l.held.empty()) {
    auto p = std::move(l.held.front());
    l.held.pop_front();
    --holding_;
    l.held_bytes -= p->bytes;
    hand_over(l, std::move(p));
  }
  if (l.under_way.empty() && l.held.empty()) {
    l.busy = false;
    --lanes_busy_;
  }
}

/// Answers what waited too long. What was held back behind it never went out, and is refused.
void producer::expire(lane& l, time_point now) {
  const auto limit = std::chrono::milliseconds(settings_.ack_ms_max);
  bool late = false;
  for (auto& p : l.under_way) {
    if (now - p->since < limit)
      break;
    late = true;
    if (!p->done)
      continue;
    ++unknown_;
    const std::lock_guard lock(answers_mutex_);
    answers_.push_back({std::exchange(p->done, nullptr),
                        error{ec::timeout,
                              fmt::format("Kafka did not acknowledge slot {} within {} ms; it may still do so",
                                          l.slot.value, settings_.ack_ms_max),
                              ""}});
  }
  if (!late)
    return;
  if (!std::exchange(l.stalled, true))
    ++lanes_stalled_;
  for (auto& p : l.held) {
    l.bytes -= p->bytes;
    queue_bytes_ -= p->bytes;
    --holding_;
    ++refused_;
    const std::lock_guard lock(answers_mutex_);
    answers_.push_back(
        {std::move(p->done),
         error{ec::unavailable, fmt::format("Kafka does not acknowledge slot {}; try again later", l.slot.value), ""}});
  }
  l.held.clear();
  l.held_bytes = 0;
}

std::string producer::last_words() const {
  const std::shared_lock lock(client_mutex_);
  return client_->events().last_words();
}

producer_counters producer::counters() const {
  return {entries_, refused_, unknown_, replaced_, queue_bytes_, lanes_stalled_};
}

} // namespace pulse::kafka
