// What every actor of a node is given: ports, clock, chance, limits. Made by runtime/node before the first actor and
// kept until the last one is gone.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actors/lease_keeper/lease_gate.hpp"
#include "actors/lend.hpp"
#include "base/time.hpp"
#include "models/event/request_parser.hpp"
#include "models/slot/machine.hpp"
#include "models/slot/stages.hpp"
#include "ports/alert_store.hpp"
#include "ports/control_store.hpp"
#include "ports/event_log.hpp"
#include "ports/notifier.hpp"
#include "ports/series_store.hpp"
#include "ports/slot_store.hpp"
#include "ports/source_reader.hpp"
#include "ports/source_store.hpp"
#include "telemetry/metrics.hpp"

namespace pulse {

struct actor_context {
  event_log& log;
  pulse::metrics& metrics;
  const clock& time;
  random_source& random;
  std::shared_ptr<const slot::shared_data> shared;
  std::function<std::unique_ptr<slot_store>()> make_slot_store;
  std::function<std::unique_ptr<control_store>()> make_control_store;
  slot::machine_config slot_config;
  request_limits limits;
  std::int64_t horizon_ms = 730 * day_ms;
  std::int64_t tenant_idle_ms = 300'000;
  int store_workers = 4;
  /// A core actor died: the node cannot go on.
  std::function<void(const std::string& why)> fatal;
  /// Tells receivers; outlives every actor. Without it, or without a store of alerts, alerts stay in the database.
  notifier* notify = nullptr;
  std::function<std::unique_ptr<alert_store>()> make_alert_store;
  /// Base of the links in alerts, `https://pulse.example`; empty: none.
  std::string public_url;
  /// Batches are written to the topics that others read before they are stored.
  bool taps = false;
  /// Alerts, trainings and what else is due are looked for; not while the log is only read again.
  bool due_work = true;
  /// In a cluster: until when each slot may be stored. Without it the data directory's lock says enough.
  std::shared_ptr<const lease_gate> gate = nullptr;
  /// In a cluster: a slot that is held by lease found a newer owner, or cannot go on. Any thread.
  std::function<void(slot_id, epoch)> slot_lost = nullptr;
  /// In a cluster: where limits are borrowed. Without it each is kept where the requests come in.
  std::optional<lend_desk_actor> desk = std::nullopt;
  /// Without it no metric is watched.
  std::function<std::unique_ptr<series_store>()> make_series_store = nullptr;
  /// Tenants' own topics; without it none is read.
  source_opener open_source = nullptr;
  std::function<std::unique_ptr<source_store>()> make_source_store = nullptr;
  /// Private networks that every tenant's connections may reach.
  std::vector<cidr> allowed_networks = {};
  /// Where ingestion writes raw, as event_log's append; unset: to the log itself.
  std::function<void(slot_id, std::vector<log_entry>, event_log::append_done)> take_in = nullptr;
};

using context_ptr = std::shared_ptr<const actor_context>;

/// How long a request may take before its outcome counts as unknown.
inline constexpr auto work_timeout = std::chrono::seconds(30);
inline constexpr auto store_timeout = std::chrono::seconds(40);

} // namespace pulse
