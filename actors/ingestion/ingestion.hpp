// The ingestion child: takes requests apart, holds the tenant to its limits, writes to raw and answers when the log
// says durable. Child of the tenant_supervisor; lives while the tenant has traffic on this node.
#pragma once

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "models/quota/token_bucket.hpp"

namespace pulse {

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
};

using ingestion = caf::stateful_actor<ingestion_state, ingestion_actor::base>;

} // namespace pulse
