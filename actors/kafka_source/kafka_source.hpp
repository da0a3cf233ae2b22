// Reads one of a tenant's own topics and hands its records to the tenant's ingestion. Detached: the connection and the
// store block. Child of the tenant_supervisor on the node that holds the tenant's slot, which is poked through `due`
// every few seconds: each poke renews the claim, and without one the child ends. Its logic is models/source/progress.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"

namespace pulse {

struct kafka_source_state {
  static inline constexpr const char* name = "pulse.kafka_source";

  kafka_source_state(kafka_source_actor::pointer self, context_ptr context, tenant_id tenant, const std::string& id,
                     ingest_door_actor door);

  kafka_source_actor::behavior_type make_behavior();

  void claim();
  void begin(claimed_source&& first);
  void step();
  void open();
  void read();
  void send();
  void save();
  void show();
  /// It has to be opened anew.
  void lost(const std::string& code, const std::string& detail);
  std::int64_t lag() const;
  void arm(std::int64_t delay_ms);
  void end();

  kafka_source_actor::pointer self;
  context_ptr context;
  tenant_id tenant;
  uuid id;
  ingest_door_actor door;
  std::unique_ptr<source_store> store;
  /// This run of this child.
  std::string holder;
  std::optional<claimed_source> claimed;
  /// Until then nobody else reads it (monotonic ms).
  std::int64_t claimed_until = 0;
  source::record_mapping mapping;
  std::unique_ptr<source_reader> reader;
  source::origin origin;
  source::positions ends;
  source::progress progress;
  /// What the tenant sees now, and a remark that stays until the next batch.
  source::status shown;
  std::string remark;
  std::int64_t shown_at = 0;
  /// Number of the batch that was sent last: late answers are of another one.
  std::uint64_t batch = 0;
  bool armed = false;
  bool ended = false;
};

using kafka_source = caf::stateful_actor<kafka_source_state, kafka_source_actor::base>;

} // namespace pulse
