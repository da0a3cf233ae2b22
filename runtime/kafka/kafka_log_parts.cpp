#include "kafka/kafka_log_parts.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "telemetry/log.hpp"

namespace pulse {

namespace {

using kafka::milliseconds;

constexpr auto component = "kafka";
constexpr auto open_limit = milliseconds(20'000);
constexpr auto ask_limit = milliseconds(2000);
constexpr auto beat = milliseconds(500);
constexpr int beats_of_reach = 4;
constexpr int beats_of_ends = 10;
constexpr int beats_of_generation = 20;

/// Right after topics were made a broker may not know yet that it leads them.
template <class Ask>
auto persistently(milliseconds limit, Ask ask) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto got = ask();
    if (got || !is_retryable(got.err().code) || std::chrono::steady_clock::now() > deadline)
      return got;
    std::this_thread::sleep_for(milliseconds(100));
  }
}

} // namespace

result<void> kafka_event_log::parts::open() {
  auto made = kafka::reader::make(
      settings, ends, [this](log_topic topic, slot_id slot) -> result<std::pair<std::int64_t, std::int64_t>> {
        auto first = admin->offsets({{topic, slot, 0}}, true, ask_limit);
        auto last = admin->offsets({{topic, slot, 0}}, false, ask_limit);
        if (!first || !last || first->empty() || last->empty())
          return first ? last ? error{ec::unavailable, "Kafka does not tell offsets", ""} : last.err() : first.err();
        return std::pair{first->front().offset, last->front().offset};
      });
  if (!made)
    return made.err();
  reader = std::move(*made);
  admin = std::make_unique<kafka::admin>(reader->forwards(), settings);
  if (auto ok = admin->reach(open_limit / 2); !ok)
    return ok;
  if (auto ok = admin->ensure_topics(open_limit); !ok)
    return ok;
  auto known = persistently(open_limit, [&] { return admin->generation(ask_limit); });
  if (!known)
    return known.err();
  generation = *known;
  if (auto ok = learn_ends(); !ok)
    return ok;
  auto writing = kafka::producer::make(
      settings,
      [this](log_topic topic, slot_id slot, std::int64_t end) {
        at(topic, slot).grow_end(end);
        if (topic == log_topic::raw)
          reader->appended(slot);
      },
      [this](std::string json) {
        // Read later, by the keeper: appends are answered on this thread.
        const std::lock_guard lock(mutex);
        producer_told = std::move(json);
      });
  if (!writing)
    return writing.err();
  producer = std::move(*writing);
  keeper = std::thread([this] { keep(); });
  log::info("kafka_log_opened", component,
            fmt::format("{} slots at {}, generation {}", settings.slots, settings.brokers, generation.value));
  return {};
}

result<void> kafka_event_log::parts::learn_ends() {
  std::vector<kafka::place> all;
  for (int t = 0; t < kafka::topics; ++t)
    for (int s = 0; s < settings.slots; ++s)
      all.push_back({static_cast<log_topic>(t), slot_id{s}, 0});
  for (bool earliest : {true, false}) {
    auto told = persistently(open_limit, [&] { return admin->offsets(all, earliest, 5 * ask_limit); });
    if (!told)
      return told.err();
    for (const auto& p : *told)
      earliest ? at(p.topic, p.slot).grow_begin(p.offset) : at(p.topic, p.slot).grow_end(p.offset);
  }
  return {};
}

void kafka_event_log::parts::keep() {
  int n = 0;
  std::unique_lock lock(mutex);
  while (!ending.wait_for(lock, beat, [this] { return stopping; })) {
    lock.unlock();
    keep_beat(++n);
    lock.lock();
  }
}

void kafka_event_log::parts::keep_beat(int n) {
  bool quiet = false;
  {
    const std::lock_guard lock(mutex);
    quiet = !away && n % beats_of_reach != 0;
  }
  if (!quiet)
    note_reach(admin->reach(2 * beat));
  read_statistics();
  if (n % 2 == 0) {
    reader->housekeep();
    carry_out_trims();
  }
  if (n % beats_of_ends == 0) {
    // What others append to a slot that is read slowly here is not fetched, but is lag.
    std::vector<kafka::place> followed;
    for (int s = 0; s < settings.slots; ++s)
      if (reader->is_followed(slot_id{s}))
        followed.push_back({log_topic::raw, slot_id{s}, 0});
    if (!followed.empty())
      if (auto told = admin->offsets(followed, false, ask_limit))
        for (const auto& p : *told)
          at(p.topic, p.slot).grow_end(p.offset);
  }
  if (n % beats_of_generation == 0)
    if (const auto now = admin->generation(ask_limit); now && *now != generation) {
      const std::lock_guard lock(mutex);
      if (!lost)
        log::error("log_made_anew", component, "the topic raw was deleted and made again; restart this node");
      lost = error{ec::unavailable, "the topic raw was deleted and made again under this node; restart it", ""};
    }
}

void kafka_event_log::parts::read_statistics() {
  std::string of_producer;
  {
    const std::lock_guard lock(mutex);
    of_producer.swap(producer_told);
  }
  const auto of_consumer = reader->take_stats();
  const auto producer_now = of_producer.empty() ? std::nullopt : std::optional(read_client_numbers(of_producer));
  const auto consumer_now = of_consumer.empty() ? std::nullopt : std::optional(read_client_numbers(of_consumer));
  const std::lock_guard lock(mutex);
  producer_numbers = producer_now.value_or(producer_numbers);
  consumer_numbers = consumer_now.value_or(consumer_numbers);
}

void kafka_event_log::parts::note_reach(const result<void>& reached) {
  const std::lock_guard lock(mutex);
  if (reached && away)
    log::info("kafka_back", component, "Kafka answers again");
  if (!reached && !away)
    log::warning("kafka_away", component, reached.err().detail);
  away = reached ? std::nullopt : std::optional(reached.err());
}

void kafka_event_log::parts::carry_out_trims() {
  std::vector<kafka::place> due;
  {
    const std::lock_guard lock(mutex);
    if (away)
      return;
    for (int s = 0; s < settings.slots; ++s)
      if (auto& below = trims[static_cast<std::size_t>(s)]; below >= 0)
        due.push_back({log_topic::raw, slot_id{s}, std::exchange(below, -1)});
  }
  if (due.empty())
    return;
  auto again = admin->delete_below(due, 2 * ask_limit);
  if (!again)
    log::warning("trim_failed", component, again.err().detail);
  const std::lock_guard lock(mutex);
  for (const auto& p : again ? *again : due) {
    auto& below = trims[static_cast<std::size_t>(p.slot.value)];
    below = std::max(below, p.offset);
  }
}

std::optional<error> kafka_event_log::parts::broken() const {
  const std::lock_guard lock(mutex);
  return lost;
}

kafka_event_log::parts::~parts() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  ending.notify_all();
  if (keeper.joinable()) {
    keeper.join();
    carry_out_trims();
  }
  // Its last reports still wake readers.
  producer.reset();
  admin.reset();
  reader.reset();
}

} // namespace pulse
