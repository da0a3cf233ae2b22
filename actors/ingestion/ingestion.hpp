// The ingestion child: takes requests apart, holds the tenant to its limits, writes to raw and answers when the log
// says durable. Child of the tenant_supervisor; lives while the tenant has traffic on this node.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <unordered_set>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "models/quota/token_bucket.hpp"

namespace pulse {

/// The latest so many ids. Filled on the log's thread, asked by the actor.
class recent_event_ids {
public:
  bool has(const event_id& id) const;
  void add(const event_id& id);

private:
  mutable std::mutex mutex_;
  std::unordered_set<event_id> known_;
  std::deque<event_id> order_;
};

struct ingestion_state {
  static inline constexpr const char* name = "pulse.ingestion";

  ingestion_state(ingestion_actor::pointer self, context_ptr context, tenant_settings settings);

  ingestion_actor::behavior_type make_behavior();

  void ingest(ingest_request& request);
  void append(ingest_request& request, parsed_request parsed, ingest_reply reply);

  ingestion_actor::pointer self;
  context_ptr context;
  tenant_settings settings;
  token_bucket bucket;
  /// Refused events that were written in this hour; beyond the limit they are counted only.
  std::int64_t refused_hour = 0;
  std::int64_t refused_written = 0;
  /// Ids of the latest acknowledged events that named a message, for the answer's `duplicate`: best effort.
  std::shared_ptr<recent_event_ids> recent = std::make_shared<recent_event_ids>();
};

using ingestion = caf::stateful_actor<ingestion_state, ingestion_actor::base>;

} // namespace pulse
