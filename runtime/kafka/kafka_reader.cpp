#include "kafka/kafka_reader.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "kafka/kafka_record.hpp"
#include "telemetry/log.hpp"

namespace pulse::kafka {

namespace {

/// How long a read waits for a record that is known to be there, and for one more when it has some already.
constexpr int first_wait_ms = 1000;
constexpr int more_wait_ms = 20;
constexpr auto idle_max = std::chrono::seconds(30);
constexpr std::size_t taken_at_once = 64;

} // namespace

void partition_ends::grow_end(std::int64_t to) {
  auto seen = end.load();
  while (to > seen && !end.compare_exchange_weak(seen, to)) {
  }
}

void partition_ends::grow_begin(std::int64_t to) {
  auto seen = begin.load();
  while (to > seen && !begin.compare_exchange_weak(seen, to)) {
  }
}

reader::reader(const kafka_log_settings& settings, std::vector<std::unique_ptr<partition_ends>>& ends, asked_ends ask) :
  settings_(settings),
  ends_(ends),
  ask_(std::move(ask)),
  wakes_(static_cast<std::size_t>(settings.slots)),
  pending_(static_cast<std::size_t>(settings.slots)) {
}

result<std::unique_ptr<reader>> reader::make(const kafka_log_settings& settings,
                                             std::vector<std::unique_ptr<partition_ends>>& ends, asked_ends ask) {
  std::unique_ptr<reader> out(new reader(settings, ends, std::move(ask)));
  const auto kib = std::clamp<std::size_t>(
      settings.prefetch_bytes_max / 1024 / static_cast<std::size_t>(settings.slots), 1024, 16 << 10);
  // A partition that is started anew waits for the broker's answer to the fetch before: so that is short, most of all
  // where replays jump about.
  for (std::size_t i = 0; i < out->consumers_.size(); ++i) {
    auto& consumer = out->consumers_[i];
    auto made = client::make(settings, {{"enable.auto.commit", "false"},
                                        {"auto.offset.reset", "error"},
                                        {"isolation.level", "read_uncommitted"},
                                        {"allow.auto.create.topics", "false"},
                                        {"fetch.wait.max.ms", i == 0 ? "100" : "20"},
                                        {"fetch.error.backoff.ms", "100"},
                                        {"fetch.queue.backoff.ms", "10"},
                                        {"queued.min.messages", "20000"},
                                        {"queued.max.messages.kbytes", std::to_string(kib)},
                                        {"fetch.message.max.bytes", "1048576"}});
    if (!made)
      return made.err();
    consumer = std::move(*made);
  }
  for (int t = 0; t < topics; ++t)
    for (int s = 0; s < settings.slots; ++s) {
      auto p = std::make_unique<partition>();
      p->owner = out.get();
      p->topic = static_cast<log_topic>(t);
      p->slot = slot_id{s};
      for (std::size_t c = 0; c < p->cursors.size(); ++c)
        p->cursors[c].consumer = out->consumers_[c].get();
      out->partitions_.push_back(std::move(p));
    }
  out->waker_ = std::thread([r = out.get()] { r->run_waker(); });
  return out;
}

std::size_t reader::index(const partition& p, int slots) {
  return static_cast<std::size_t>(static_cast<int>(p.topic) * slots + p.slot.value);
}

partition_ends& reader::ends_of(const partition& p) {
  return *ends_[index(p, settings_.slots)];
}

result<std::vector<log_record>> reader::read(log_topic topic, slot_id slot, log_offset from, std::size_t records_max,
                                             std::size_t bytes_max) {
  auto& p = *partitions_[static_cast<std::size_t>(static_cast<int>(topic) * settings_.slots + slot.value)];
  const std::lock_guard lock(p.mutex);
  auto& ends = ends_of(p);
  if (from.value < ends.begin)
    return error{ec::not_found,
                 fmt::format("offset {} of slot {} was trimmed away; the log begins at {}", from.value, slot.value,
                             ends.begin.load()),
                 ""};
  auto& c = choose(p, from.value);
  c.used = std::chrono::steady_clock::now();
  if (!c.started() || c.next != from.value)
    if (auto ok = start(p, c, from.value); !ok)
      return ok.err();
  std::vector<log_record> out;
  std::size_t bytes = 0;
  const auto wanted = std::max<std::size_t>(records_max, 1);
  while (out.size() < wanted) {
    if (c.ahead.empty()) {
      // Waiting only helps where something is known to come.
      const bool more = c.next < ends.end;
      if (auto ok = fill(p, c, wanted - out.size(), !more ? 0 : out.empty() ? first_wait_ms : more_wait_ms); !ok)
        return out.empty() ? result<std::vector<log_record>>(ok.err()) : std::move(out);
      if (c.ahead.empty()) {
        if (out.empty() && c.started() && more)
          return error{ec::unavailable,
                       fmt::format("Kafka does not deliver offset {} of slot {}{}", c.next, slot.value,
                                   c.consumer->events().last_words()),
                       ""};
        break;
      }
    }
    const auto size = size_of(c.ahead.front().entry);
    if (!out.empty() && bytes + size > bytes_max)
      break;
    bytes += size;
    out.push_back(std::move(c.ahead.front()));
    c.ahead.pop_front();
    c.next = out.back().offset.value + 1;
  }
  records_read_ += out.size();
  return out;
}

/// The cursor that stands there, else the one whose work is lost least: a read beyond both moves the one in front, a
/// read from further back the other.
reader::cursor& reader::choose(partition& p, std::int64_t from) {
  auto& [a, b] = p.cursors;
  for (auto* c : {&a, &b})
    if (c->started() && c->next == from)
      return *c;
  if (!a.started())
    return a;
  auto& front = b.started() && b.next > a.next ? b : a;
  auto& back = &front == &a ? b : a;
  return from > front.next ? front : back;
}

result<void> reader::start(partition& p, cursor& c, std::int64_t from) {
  stop(p, c);
  ++seeks_;
  c.queue.reset(rd_kafka_queue_new(c.consumer->handle()));
  c.next = from;
  if (p.topic == log_topic::raw)
    rd_kafka_queue_cb_event_enable(c.queue.get(), &reader::on_queue_event, &p);
  if (rd_kafka_consume_start_queue(c.consumer->topic(p.topic), p.slot.value, from, c.queue.get()) == 0)
    return {};
  const auto code = rd_kafka_last_error();
  c.queue.reset();
  return error{ec::unavailable, fmt::format("Kafka can't be read: {}", rd_kafka_err2str(code)), ""};
}

void reader::stop(partition& p, cursor& c) {
  if (!c.started())
    return;
  rd_kafka_queue_cb_event_enable(c.queue.get(), nullptr, nullptr);
  (void)rd_kafka_consume_stop(c.consumer->topic(p.topic), p.slot.value);
  c.queue.reset();
  c.ahead.clear();
  c.next = -1;
}

/// Takes what was fetched, and waits for the first record where there is none.
result<void> reader::fill(partition& p, cursor& c, std::size_t wanted, int wait_ms) {
  std::array<rd_kafka_message_t*, taken_at_once> messages{};
  const auto n = std::min(wanted, messages.size());
  auto got = rd_kafka_consume_batch_queue(c.queue.get(), 0, messages.data(), n);
  if (got == 0 && wait_ms > 0) {
    got = rd_kafka_consume_batch_queue(c.queue.get(), wait_ms, messages.data(), 1);
    if (got == 1 && n > 1)
      got += std::max<ssize_t>(rd_kafka_consume_batch_queue(c.queue.get(), 0, messages.data() + 1, n - 1), 0);
  }
  note_ends(p, *c.consumer);
  result<void> ok;
  for (ssize_t i = 0; i < got; ++i) {
    if (ok)
      ok = take(p, c, *messages[static_cast<std::size_t>(i)]);
    rd_kafka_message_destroy(messages[static_cast<std::size_t>(i)]);
  }
  return ok;
}

result<void> reader::take(partition& p, cursor& c, rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
    return out_of_range(p, c);
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
      return {};
    const auto* words = rd_kafka_message_errstr(&message);
    return error{ec::unavailable, fmt::format("Kafka can't be read: {}", words != nullptr ? words : ""), ""};
  }
  const auto expected = c.ahead.empty() ? c.next : c.ahead.back().offset.value + 1;
  if (message.offset < expected)
    return {};
  if (message.offset > expected) {
    // A gap, and nothing of ours makes one: records were deleted under us, or the topic is compacted or transactional.
    stop(p, c);
    return error{
        ec::corrupt,
        fmt::format("raw has a gap in slot {}: offset {} follows on {}", p.slot.value, message.offset, expected - 1),
        ""};
  }
  auto record = to_record(message);
  if (!record) {
    stop(p, c);
    return record.err();
  }
  c.ahead.push_back(std::move(*record));
  return {};
}

/// Kafka has not the offset that was asked for: it was deleted, or is not there yet.
result<void> reader::out_of_range(partition& p, cursor& c) {
  const auto from = c.next;
  stop(p, c);
  const auto asked = ask_(p.topic, p.slot);
  if (!asked)
    return asked.err();
  auto& ends = ends_of(p);
  ends.grow_begin(asked->first);
  ends.grow_end(asked->second);
  if (from < asked->first)
    return error{ec::not_found,
                 fmt::format("offset {} of slot {} is gone; the log begins at {}", from, p.slot.value, asked->first),
                 ""};
  if (from > asked->second)
    log::error("log_ends_before_position", "kafka",
               fmt::format("slot {} is read from {}, but Kafka's log ends at {}: records were lost there, or the "
                           "database is of another log",
                           p.slot.value, from, asked->second));
  return {};
}

/// As the brokers' latest answer to a fetch had them; no network.
void reader::note_ends(const partition& p, const client& consumer) {
  std::int64_t low = -1;
  std::int64_t high = -1;
  const auto* name = rd_kafka_topic_name(consumer.topic(p.topic));
  if (rd_kafka_get_watermark_offsets(consumer.handle(), name, p.slot.value, &low, &high) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return;
  ends_of(p).grow_begin(low);
  ends_of(p).grow_end(high);
}

void reader::housekeep() {
  const auto now = std::chrono::steady_clock::now();
  for (auto& p : partitions_) {
    const std::unique_lock lock(p->mutex, std::try_to_lock);
    if (!lock.owns_lock())
      continue;
    const bool followed = p->topic == log_topic::raw && is_followed(p->slot);
    auto& [a, b] = p->cursors;
    // Of a slot that is followed the cursor in front stays: it hears of other nodes' records.
    const auto* front = b.started() && b.next > a.next ? &b : &a;
    for (auto* c : {&a, &b})
      if (c->started() && now - c->used > idle_max && !(followed && c == front))
        stop(*p, *c);
      else if (c->started())
        note_ends(*p, *c->consumer);
  }
  for (auto& consumer : consumers_)
    rd_kafka_poll(consumer->handle(), 0);
}

std::string reader::take_stats() {
  return consumers_[0]->events().take_stats();
}

reader::~reader() {
  for (auto& p : partitions_) {
    const std::lock_guard lock(p->mutex);
    for (auto& c : p->cursors)
      stop(*p, c);
  }
  {
    const std::lock_guard lock(pending_mutex_);
    stopping_ = true;
  }
  pending_ready_.notify_one();
  if (waker_.joinable())
    waker_.join();
}

} // namespace pulse::kafka
