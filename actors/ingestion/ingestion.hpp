// The ingestion child: takes requests apart, holds the tenant to its limits, writes to raw and answers when the log
// says durable. Child of the tenant_supervisor, which may be on another node; lives while the tenant has traffic on
// this one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "models/quota/borrower.hpp"
#include "models/quota/token_bucket.hpp"

namespace pulse {

/// What a request's events are taken apart with, received now.
request_context context_of(const ingest_request& request, const actor_context& context);

/// What tells a message that comes again: an id made of the client's own time is the same then; without such a time it
/// goes by the message id alone. Nothing for an event that names no message.
std::optional<event_id> key_of(const raw_event& raw);

/// The ids of the latest so many events by their keys. Filled on the log's thread, asked by the actor.
class recent_event_ids {
public:
  /// Older ones are forgotten: an id may not be older than its event by more.
  static constexpr std::int64_t age_ms_max = 12 * hour_ms;

  /// The id that the first one got.
  std::optional<event_id> find(const event_id& key, time_ms now) const;
  void add(const event_id& key, const event_id& id, time_ms now);

private:
  mutable std::mutex mutex_;
  std::unordered_map<event_id, std::pair<event_id, time_ms>> known_;
  std::deque<event_id> order_;
};

struct ingestion_state {
  static inline constexpr const char* name = "pulse.ingestion";

  ingestion_state(ingestion_actor::pointer self, context_ptr context, ingestion_settings settings);

  ingestion_actor::behavior_type make_behavior();

  /// A request that waits for the owner of the limit.
  struct held_request {
    ingest_ptr request;
    parsed_request parsed;
    ingest_reply reply;
    std::int64_t n;
  };

  void ingest(const ingest_ptr& taken_in);
  void append(ingest_request& request, parsed_request parsed, ingest_reply reply);

  // ingestion_quota.cpp: a limit that the cluster shares.
  void borrow(const ingest_ptr& request, parsed_request parsed, ingest_reply reply);
  void ask_owner(const ask_action& a);
  void carry_out(std::vector<borrower_action>& actions);
  void admitted(std::uint64_t waiter);
  void refused(std::uint64_t waiter, std::int64_t retry_after_ms, error why);
  void loan_ticked();

  ingestion_actor::pointer self;
  context_ptr context;
  ingestion_settings settings;
  token_bucket bucket;
  /// Instead of the bucket, where the context has a desk. `gateway` names this run of this child.
  borrower quota;
  std::uint64_t gateway = 0;
  std::uint64_t next_waiter = 1;
  std::map<std::uint64_t, held_request> held;
  bool ticking = false;
  /// Refused events that were written in this hour; beyond the limit they are counted only.
  std::int64_t refused_hour = 0;
  std::int64_t refused_written = 0;
  /// Ids of the latest acknowledged events that named a message, for the answer's `duplicate`: best effort.
  std::shared_ptr<recent_event_ids> recent = std::make_shared<recent_event_ids>();
};

using ingestion = caf::stateful_actor<ingestion_state, ingestion_actor::base>;

} // namespace pulse
