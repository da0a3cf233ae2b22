// `pulse migrate log`: what the embedded log led to goes on over Kafka.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <thread>

#include "node/node_parts.hpp"
#include "node/open_log.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

using progress_fn = std::function<void(const std::string&)>;

constexpr auto between_looks = std::chrono::milliseconds(200);
/// A drain that stores nothing for so long is given up.
constexpr auto patience = std::chrono::seconds(60);

std::vector<log_offset> ends_of(const event_log& log) {
  std::vector<log_offset> out;
  for (int i = 0; i < log.slots(); ++i)
    out.push_back(log.end(log_topic::raw, slot_id{i}));
  return out;
}

std::string in_words(const std::vector<postgres::slot_left>& left) {
  std::string out;
  for (const auto& l : left) {
    out += fmt::format("\n  slot {}:", l.slot.value);
    if (l.records > 0)
      out += fmt::format(" {} record{} not stored yet", l.records, l.records == 1 ? "" : "s");
    if (l.tenants_behind > 0)
      out += fmt::format("{} the scoring state of {} tenant{} not stored in full", l.records > 0 ? "," : "",
                         l.tenants_behind, l.tenants_behind == 1 ? "" : "s");
  }
  return out;
}

error undrained(const std::vector<postgres::slot_left>& left) {
  return {ec::conflict,
          fmt::format("the embedded log is not drained; nothing was changed.{}\n"
                      "Either add --drain, which stores what is left first, or serve with PULSE_EVENT_LOG=embedded "
                      "until the lag of every slot is 0 (/admin/v1/slots), and stop with SIGTERM",
                      in_words(left)),
          ""};
}

std::int64_t amount(const std::vector<postgres::slot_left>& left) {
  std::int64_t out = 0;
  for (const auto& l : left)
    out += l.records + l.tenants_behind;
  return out;
}

/// Nobody else's records: the topics are new, or of a migration that was broken off before its transaction.
result<void> is_empty(const event_log& log, const std::string& prefix) {
  for (int i = 0; i < log.slots(); ++i)
    if (const auto end = log.end(log_topic::raw, slot_id{i}); end.value > 0)
      return error{ec::conflict,
                   fmt::format("{}.raw has {} records in partition {} already: something else writes there. Set "
                               "kafka.topic_prefix to a name without topics",
                               prefix, end.value, i),
                   "kafka.topic_prefix"};
  return {};
}

} // namespace

/// A log that was left has stored state that is not its successor's: serving it again would fork every tenant.
result<void> node::parts::check_log() {
  postgres::log_migration store(conf.postgres_url);
  if (conf.event_log != "embedded") {
    const auto entered = store.was_entered(log->generation());
    if (!entered)
      return entered.err();
    if (!*entered && std::filesystem::exists(conf.data_dir + "/log"))
      log::warning(
          "log_not_migrated", "node",
          fmt::format("{}/log is an embedded log that this one did not go on from: what is not stored of it, and "
                      "the scoring state, stay there. Before events are taken, pulse migrate log carries them "
                      "over; a log that is not needed may be deleted",
                      conf.data_dir));
    return {};
  }
  const auto gone = store.left_by(log->generation());
  if (!gone)
    return gone.err();
  if (!*gone)
    return {};
  return error{ec::conflict,
               fmt::format("the embedded log of {} was migrated to Kafka at {}: set event_log to kafka "
                           "(PULSE_EVENT_LOG), or PULSE_DATA_DIR to another directory",
                           conf.data_dir, (*gone)->at),
               "event_log"};
}

/// Stores what is left, serving nobody, telling nobody: alerts that come of it wait for the next node.
result<void> node::drain_log(const loaded_settings& local, const progress_fn& progress) {
  auto begun = begin(local);
  if (!begun)
    return begun.err();
  auto p = std::move(*begun);
  p->rebuilding = p->imaging_all = true;
  // Once a tenant's records are stored its state is, and it may sleep.
  p->conf.tenant_idle_ms = 1000;
  if (auto ok = p->open_stores(); !ok)
    return ok;
  if (auto ok = p->start_actors(); !ok)
    return ok;
  postgres::log_migration store(p->conf.postgres_url);
  auto least = INT64_MAX;
  auto moved_at = std::chrono::steady_clock::now();
  for (;;) {
    std::this_thread::sleep_for(between_looks);
    const auto left = store.left(p->log->generation(), ends_of(*p->log));
    if (!left)
      return left.err();
    if (left->empty())
      return {};
    if (const auto slots = p->slots(); !slots)
      return slots.err();
    const auto now = std::chrono::steady_clock::now();
    if (const auto n = amount(*left); n < least) {
      least = n;
      moved_at = now;
    }
    progress(fmt::format("draining: {} left", least));
    if (now - moved_at > patience)
      return undrained(*left);
  }
}

result<log_move> node::move_log(const loaded_settings& local, const settings& target, bool may_drain,
                                const progress_fn& progress) {
  auto begun = begin(local);
  if (!begun)
    return begun.err();
  auto p = std::move(*begun);
  if (auto ok = p->open_stores(); !ok)
    return ok.err();
  postgres::log_migration store(p->conf.postgres_url);
  const auto from = p->log->generation();
  const auto before = store.left_by(from);
  if (!before)
    return before.err();
  if (*before)
    return log_move{**before, true};
  if (auto ok = store.nobody_serves(); !ok)
    return ok.err();
  const auto left = store.left(from, ends_of(*p->log));
  if (!left)
    return left.err();
  if (!left->empty()) {
    if (!may_drain)
      return undrained(*left);
    p.reset();
    if (auto ok = drain_log(local, progress); !ok)
      return ok.err();
    // Everything anew: what was found above is not true any more.
    return move_log(local, target, false, progress);
  }
  auto kafka = open_log(target, system_clock().now());
  if (!kafka)
    return kafka.err();
  if (auto ok = is_empty(*kafka->log, target.kafka_topic_prefix); !ok)
    return ok.err();
  auto done = store.move(from, kafka->log->generation(), kafka->log->slots(), [&](std::int64_t n, std::int64_t all) {
    progress(fmt::format("carrying over: {} of {} tenants", n, all));
  });
  if (!done)
    return done.err();
  return log_move{std::move(*done), false};
}

result<log_move> node::migrate_log(const loaded_settings& from, bool may_drain, const progress_fn& progress) {
  auto local = from;
  local.values.event_log = "embedded";
  auto target = from.values;
  target.event_log = "kafka";
  if (target.kafka_brokers.empty())
    return error{ec::invalid,
                 "kafka.brokers is not set: host:port of a broker that the log moves to "
                 "(PULSE_KAFKA_BROKERS)",
                 "kafka.brokers"};
  const auto path = local.values.data_dir + "/log";
  if (!std::filesystem::exists(path))
    return error{ec::not_found,
                 fmt::format("there is no embedded log in {}: nothing to migrate. PULSE_DATA_DIR names the data "
                             "directory of the node that served it",
                             path),
                 "data_dir"};
  return move_log(local, target, may_drain, progress);
}

} // namespace pulse
