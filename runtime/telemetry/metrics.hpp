// Every metric family of the program, once. Names are `pulse_<component>_<what>_<unit>`; counters end in `_total`.
// From any thread.
#pragma once

#include <memory>
#include <string>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace pulse {

class metrics {
public:
  metrics();
  ~metrics();
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;

  void request(const std::string& route, const std::string& method, int status, double seconds, std::size_t bytes_in);
  /// `result`: ok, warning, rejected; `reason`: the code of a refusal.
  void ingested(tenant_id tenant, const std::string& result, std::int64_t n);
  /// Something was not taken or not kept, and why: rate_limited, unavailable, poison, older_than_retention ...
  void dropped(const std::string& reason, std::int64_t n);
  /// From hand-over to durable.
  void append(double seconds, std::int64_t records, bool ok);
  void batch_stored(slot_id slot, double seconds, std::int64_t stored, std::int64_t duplicates, std::int64_t failed);
  /// From receipt to stored, of the oldest event in a batch.
  void stored_after(double seconds);
  void slot_state(slot_id slot, log_offset position, log_offset end, std::size_t in_flight, std::size_t awake);
  /// The slot is held elsewhere from here on.
  void slot_gone(slot_id slot);
  /// `stage`: ingestion, reading, enrichment, scoring, storing.
  void stage_cpu(const char* stage, double seconds);
  void alarm(const std::string& name);
  /// `outcome`: delivered, retry, failed.
  void delivery(const std::string& outcome, double seconds);
  void trained(double seconds, bool ok);
  /// A tenant's latest events were compared with those that its model was fitted on.
  void looked_for_drift(bool drifted);
  /// So many events of one part were scored: features, models, rules and reasons. Each counts with its share.
  void scored(double seconds, std::size_t events);
  /// A label came; `outcome` is what had been decided: approve, review, decline.
  void labelled(bool fraud, const std::string& outcome);
  /// Of a tenant's own topic, read here: what became of a batch, and what its partitions hold beyond.
  void source_read(const std::string& source, std::int64_t accepted, std::int64_t refused, std::int64_t lag);
  /// `code`: unreachable, ... as the tenant sees it.
  void source_failed(const std::string& code);
  /// The source is not read here from now on.
  void source_gone(const std::string& source);
  /// What is computed when it is asked for.
  void gauge(const std::string& name, const std::string& help, double value);

  /// Prometheus text format 0.0.4.
  std::string text() const;

private:
  struct families;
  std::unique_ptr<families> f_;
};

/// Counts the calling thread's CPU time to a stage, from here to the end of the scope.
class stage_timer {
public:
  stage_timer(metrics& m, const char* stage) : metrics_(m), stage_(stage), started_(thread_cpu_seconds()) {
  }

  ~stage_timer() {
    metrics_.stage_cpu(stage_, thread_cpu_seconds() - started_);
  }

  stage_timer(const stage_timer&) = delete;
  stage_timer& operator=(const stage_timer&) = delete;

private:
  metrics& metrics_;
  const char* stage_;
  double started_;
};

} // namespace pulse
