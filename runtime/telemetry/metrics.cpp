#include "telemetry/metrics.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <vector>

namespace pulse {

namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;

const Histogram::BucketBoundaries seconds_buckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                     0.25,  0.5,    1,     2.5,  5,     10};

const Histogram::BucketBoundaries microseconds_buckets = {0.00001, 0.00002, 0.00003, 0.00004, 0.00005, 0.00006, 0.00008,
                                                          0.0001,  0.00012, 0.00015, 0.0002,  0.00025, 0.0003,  0.0004,
                                                          0.0005,  0.0007,  0.001,   0.002,   0.005,   0.01,    0.1};

/// Tenants beyond this many share the label `other`; totals stay exact.
constexpr std::size_t tenant_labels_max = 50;

double number(std::int64_t n) {
  return static_cast<double>(n);
}

} // namespace

struct metrics::families {
  prometheus::Registry registry;
  Family<Counter>& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Histogram>& histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  Family<Gauge>& make_gauge(const std::string& name, const std::string& help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }

  Family<Counter>& requests = counter("pulse_http_requests_total", "Answers by route, method and status.");
  Family<Histogram>& request_seconds =
      histogram("pulse_http_request_seconds", "From a request's first byte to its answer.");
  Family<Counter>& request_bytes = counter("pulse_http_request_bytes_total", "Bytes of request bodies as they came.");
  Family<Counter>& events = counter("pulse_ingest_events_total", "Events by verdict.");
  Family<Counter>& tenant_events =
      counter("pulse_ingest_tenant_events_total", "Events by tenant; the later ones as other.");
  Family<Counter>& drops = counter("pulse_dropped_events_total", "Events that were not taken or set aside, by reason.");
  Family<Histogram>& append_seconds = histogram("pulse_log_append_seconds", "From hand-over to durable in raw.");
  Family<Counter>& appended = counter("pulse_log_appended_records_total", "Records appended to raw, by result.");
  Family<Histogram>& commit_seconds = histogram("pulse_store_commit_seconds", "One transaction of a slot.");
  Family<Counter>& stored = counter("pulse_store_events_total", "Records stored, by outcome.");
  Family<Histogram>& stored_seconds =
      histogram("pulse_store_latency_seconds", "From receipt to stored, the oldest of a batch.");
  Family<Gauge>& position = make_gauge("pulse_slot_position_records", "Records of raw that are stored.");
  Family<Gauge>& lag = make_gauge("pulse_slot_lag_records", "Records of raw that are not stored yet.");
  Family<Gauge>& in_flight = make_gauge("pulse_slot_batches_in_flight", "Batches read and not yet stored.");
  Family<Gauge>& awake = make_gauge("pulse_slot_tenants_awake", "Tenants whose children run.");
  Family<Counter>& stage_seconds =
      counter("pulse_stage_cpu_seconds_total", "CPU time that events cost this program, by stage.");
  Family<Counter>& alarms = counter("pulse_alarms_total", "What an operator should look at, by name.");
  Family<Counter>& deliveries = counter("pulse_alert_deliveries_total", "Attempts to tell a receiver, by outcome.");
  Family<Histogram>& delivery_seconds = histogram("pulse_alert_delivery_seconds", "One attempt to tell a receiver.");
  Family<Histogram>& train_seconds = histogram("pulse_model_train_seconds", "One training of a tenant's model.");
  Family<Counter>& trainings = counter("pulse_model_trainings_total", "Trainings by result.");
  Family<Counter>& drift_looks = counter("pulse_model_drift_checks_total",
                                         "Comparisons of latest events with those a model was fitted on, by result.");
  Family<Histogram>& scoring_seconds = histogram(
      "pulse_scoring_event_seconds", "Features, models, rules and reasons of one event: its share of a part.");
  Family<Counter>& labels =
      counter("pulse_detection_labels_total", "Labels that came, by what had been decided on their events.");
  Family<Counter>& source_records =
      counter("pulse_source_records_total", "Records of tenants' own topics, by outcome.");
  Family<Counter>& source_failures =
      counter("pulse_source_failures_total", "Times that a tenant's own topic could not be read, by code.");
  Family<Gauge>& source_lag =
      make_gauge("pulse_source_lag_records", "Records that a tenant's own topic holds beyond what was read.");

  std::mutex mutex;
  std::map<std::int32_t, Counter*> tenants;
  std::map<std::string, Gauge*> sources;
};

metrics::metrics() : f_(std::make_unique<families>()) {
}

metrics::~metrics() = default;

void metrics::request(const std::string& route, const std::string& method, int status, double seconds,
                      std::size_t bytes_in) {
  const auto where = route.empty() ? std::string("none") : route;
  f_->requests.Add({{"route", where}, {"method", method}, {"status", std::to_string(status)}}).Increment();
  f_->request_seconds.Add({{"route", where}}, seconds_buckets).Observe(seconds);
  f_->request_bytes.Add({}).Increment(static_cast<double>(bytes_in));
}

void metrics::ingested(tenant_id tenant, const std::string& result, std::int64_t n) {
  f_->events.Add({{"result", result}}).Increment(number(n));
  const std::lock_guard lock(f_->mutex);
  auto it = f_->tenants.find(tenant.value);
  if (it == f_->tenants.end()) {
    const auto label = f_->tenants.size() < tenant_labels_max ? std::to_string(tenant.value) : std::string("other");
    auto& counter = f_->tenant_events.Add({{"tenant", label}});
    if (label == "other") {
      counter.Increment(number(n));
      return;
    }
    it = f_->tenants.emplace(tenant.value, &counter).first;
  }
  it->second->Increment(number(n));
}

void metrics::dropped(const std::string& reason, std::int64_t n) {
  f_->drops.Add({{"reason", reason}}).Increment(number(n));
}

void metrics::append(double seconds, std::int64_t records, bool ok) {
  f_->append_seconds.Add({}, seconds_buckets).Observe(seconds);
  f_->appended.Add({{"result", ok ? "ok" : "failed"}}).Increment(number(records));
}

void metrics::batch_stored(slot_id slot, double seconds, std::int64_t stored, std::int64_t duplicates,
                           std::int64_t failed) {
  f_->commit_seconds.Add({}, seconds_buckets).Observe(seconds);
  f_->stored.Add({{"slot", std::to_string(slot.value)}, {"outcome", "stored"}}).Increment(number(stored));
  f_->stored.Add({{"slot", std::to_string(slot.value)}, {"outcome", "duplicate"}}).Increment(number(duplicates));
  f_->stored.Add({{"slot", std::to_string(slot.value)}, {"outcome", "failed"}}).Increment(number(failed));
}

void metrics::stored_after(double seconds) {
  f_->stored_seconds.Add({}, seconds_buckets).Observe(seconds);
}

void metrics::slot_state(slot_id slot, log_offset position, log_offset end, std::size_t in_flight, std::size_t awake) {
  const auto label = std::map<std::string, std::string>{{"slot", std::to_string(slot.value)}};
  f_->position.Add(label).Set(number(position.value));
  f_->lag.Add(label).Set(number(end.value - position.value));
  f_->in_flight.Add(label).Set(static_cast<double>(in_flight));
  f_->awake.Add(label).Set(static_cast<double>(awake));
}

void metrics::slot_gone(slot_id slot) {
  const auto label = std::map<std::string, std::string>{{"slot", std::to_string(slot.value)}};
  for (auto* family : {&f_->position, &f_->lag, &f_->in_flight, &f_->awake})
    family->Remove(&family->Add(label));
}

void metrics::source_read(const std::string& source, std::int64_t accepted, std::int64_t refused, std::int64_t lag) {
  f_->source_records.Add({{"outcome", "accepted"}}).Increment(number(accepted));
  f_->source_records.Add({{"outcome", "refused"}}).Increment(number(refused));
  const std::lock_guard lock(f_->mutex);
  auto it = f_->sources.find(source);
  if (it == f_->sources.end()) {
    if (f_->sources.size() >= tenant_labels_max)
      return;
    it = f_->sources.emplace(source, &f_->source_lag.Add({{"source", source}})).first;
  }
  it->second->Set(number(lag));
}

void metrics::source_failed(const std::string& code) {
  f_->source_failures.Add({{"code", code}}).Increment();
}

void metrics::source_gone(const std::string& source) {
  const std::lock_guard lock(f_->mutex);
  if (const auto it = f_->sources.find(source); it != f_->sources.end()) {
    f_->source_lag.Remove(it->second);
    f_->sources.erase(it);
  }
}

void metrics::stage_cpu(const char* stage, double seconds) {
  f_->stage_seconds.Add({{"stage", stage}}).Increment(seconds);
}

void metrics::alarm(const std::string& name) {
  f_->alarms.Add({{"name", name}}).Increment();
}

void metrics::delivery(const std::string& outcome, double seconds) {
  f_->deliveries.Add({{"outcome", outcome}}).Increment();
  f_->delivery_seconds.Add({}, seconds_buckets).Observe(seconds);
}

void metrics::trained(double seconds, bool ok) {
  f_->train_seconds.Add({}, seconds_buckets).Observe(seconds);
  f_->trainings.Add({{"result", ok ? "ok" : "failed"}}).Increment();
}

void metrics::looked_for_drift(bool drifted) {
  f_->drift_looks.Add({{"result", drifted ? "drifted" : "steady"}}).Increment();
}

void metrics::scored(double seconds, std::size_t events) {
  if (events == 0)
    return;
  const auto n = static_cast<double>(events);
  const auto& limits = microseconds_buckets;
  std::vector<double> more(limits.size() + 1);
  const auto bucket = std::lower_bound(limits.begin(), limits.end(), seconds / n) - limits.begin();
  more[static_cast<std::size_t>(bucket)] = n;
  f_->scoring_seconds.Add({}, limits).ObserveMultiple(more, seconds);
}

void metrics::labelled(bool fraud, const std::string& outcome) {
  f_->labels.Add({{"label", fraud ? "fraud" : "legitimate"}, {"outcome", outcome}}).Increment();
}

void metrics::gauge(const std::string& name, const std::string& help, double value) {
  f_->make_gauge(name, help).Add({}).Set(value);
}

std::string metrics::text() const {
  return prometheus::TextSerializer().Serialize(f_->registry.Collect());
}

} // namespace pulse
