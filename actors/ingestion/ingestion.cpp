#include "actors/ingestion/ingestion.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "models/event/raw_codec.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// Refused events of a tenant that are kept in an hour.
constexpr std::int64_t refused_per_hour_max = 1000;

/// What a tenant's ingestion remembers: 50,000 ids are about 4 MB.
constexpr std::size_t recent_max = 50'000;

} // namespace

request_context context_of(const ingest_request& request, const actor_context& c) {
  request_context out;
  out.tenant = request.tenant;
  out.received_at = c.time.now();
  out.horizon = time_ms{out.received_at.value - c.horizon_ms};
  out.test = request.test;
  out.publishable = request.publishable;
  out.client_ip = request.client_ip;
  out.key = request.key;
  out.trace = request.trace;
  out.idempotency_key = request.idempotency_key;
  out.random = &c.random;
  out.limits = c.limits;
  return out;
}

std::optional<event_id> key_of(const raw_event& raw) {
  if (raw.kind == raw_kind::refused || raw.message_id.empty())
    return std::nullopt;
  return raw.timed ? raw.id : event_id{uuid{hash_parts({raw.test ? "test" : "live", raw.message_id})}};
}

std::optional<event_id> recent_event_ids::find(const event_id& key, time_ms now) const {
  const std::lock_guard lock(mutex_);
  const auto at = known_.find(key);
  return at == known_.end() || now.value - at->second.second.value > age_ms_max ? std::nullopt
                                                                                : std::optional(at->second.first);
}

void recent_event_ids::add(const event_id& key, const event_id& id, time_ms now) {
  const std::lock_guard lock(mutex_);
  if (!known_.insert_or_assign(key, std::pair{id, now}).second)
    return;
  order_.push_back(key);
  if (order_.size() <= recent_max)
    return;
  known_.erase(order_.front());
  order_.pop_front();
}

ingestion_state::ingestion_state(ingestion_actor::pointer p, context_ptr c, ingestion_settings s) :
  self(p), context(std::move(c)), settings(std::move(s)), bucket({settings.rate, settings.burst}, context->time.now()) {
  const auto id = context->random.next_uuid();
  for (int i = 8; i < 16; ++i)
    gateway = gateway << 8 | id.bytes[static_cast<std::size_t>(i)];
}

void ingestion_state::ingest(const ingest_ptr& taken_in) {
  auto& request = *taken_in;
  const stage_timer timer(context->metrics, "ingestion");
  if (settings.deleted) {
    refuse(request, "the tenant is deleted");
    return;
  }
  ingest_reply reply;
  auto parsed = request.parsed ? result<parsed_request>(std::move(*request.parsed))
                               : parse_request(request.body, request.shape, context_of(request, *context));
  if (!parsed) {
    reply.failed = parsed.err();
    request.done(std::move(reply));
    return;
  }
  reply.single = parsed->single;
  if (context->desk && settings.rate > 0)
    return borrow(taken_in, std::move(*parsed), std::move(reply));
  const auto n = static_cast<std::int64_t>(parsed->events.size());
  const auto taken = bucket.take(n, context->time.now());
  reply.rate = {bucket.limits(), taken};
  if (!taken.ok) {
    context->metrics.dropped("rate_limited", n);
    reply.retry_after_ms = taken.retry_after_ms;
    reply.failed = error{ec::rate_limited,
                         fmt::format("over {} events a second (burst {}); nothing of this request was taken",
                                     settings.rate, bucket.limits().capacity()),
                         ""};
    request.done(std::move(reply));
    return;
  }
  append(request, std::move(*parsed), std::move(reply));
}

void ingestion_state::append(ingest_request& request, parsed_request parsed, ingest_reply reply) {
  const auto hour = context->time.now().value / hour_ms;
  if (hour != std::exchange(refused_hour, hour))
    refused_written = 0;
  std::vector<log_entry> entries;
  entries.reserve(parsed.events.size());
  std::int64_t counts[3] = {0, 0, 0};
  std::vector<std::pair<event_id, event_id>> fresh;
  for (auto& e : parsed.events) {
    ++counts[static_cast<int>(e.verdict.result)];
    const bool refused = e.raw.kind == raw_kind::refused;
    const auto key = key_of(e.raw);
    const auto first = key ? recent->find(*key, e.raw.received_at) : std::nullopt;
    // The first one's id, in raw as well: it is the stored one, whether the first came that far or not.
    if (first)
      e.verdict.id = e.raw.id = *first;
    else if (key)
      fresh.emplace_back(*key, e.raw.id);
    if (!refused || ++refused_written <= refused_per_hour_max)
      entries.push_back({request.tenant, fmt::format("{}/{}", request.tenant.value, e.entity), encode(e.raw),
                         request.traceparent, "", epoch{}});
    reply.lines.push_back({std::move(e.verdict), first.has_value()});
  }
  for (auto result : {verdict_result::ok, verdict_result::warning, verdict_result::rejected})
    if (const auto n = counts[static_cast<int>(result)]; n > 0)
      context->metrics.ingested(request.tenant, std::string(to_string(result)), n);
  if (entries.empty()) {
    request.done(std::move(reply));
    return;
  }
  const auto records = static_cast<std::int64_t>(entries.size());
  auto done = std::move(request.done);
  if (request.queued) {
    done(reply);
    done = [](const ingest_reply&) {
    };
  }
  const auto started = context->time.monotonic_ms();
  auto answer = [c = context, done = std::move(done), reply = std::move(reply), started, records,
                 tenant = request.tenant, trace = request.trace, seen = recent,
                 fresh = std::move(fresh)](result<log_offset> at) mutable {
    c->metrics.append(static_cast<double>(c->time.monotonic_ms() - started) / 1000.0, records, at.ok());
    if (at)
      for (const auto& [key, id] : fresh)
        seen->add(key, id, c->time.now());
    if (!at) {
      c->metrics.dropped(std::string(to_string(at.err().code)), records);
      log::warning("append_failed", "ingestion", at.err().detail, {tenant, trace, ""});
      reply.lines.clear();
      reply.failed = at.err();
      reply.retry_after_ms = 1000;
    }
    done(std::move(reply));
  };
  if (context->take_in)
    context->take_in(settings.slot, std::move(entries), std::move(answer));
  else
    context->log.append(log_topic::raw, settings.slot, std::move(entries), std::move(answer));
}

ingestion_actor::behavior_type ingestion_state::make_behavior() {
  return {
      [this](ingest_atom, const ingest_ptr& request) { ingest(request); },
      [this](settings_atom, const ingestion_settings& fresh) {
        settings = fresh;
        bucket.set({settings.rate, settings.burst}, context->time.now());
        return settings.version;
      },
      [this](tick_atom) { loan_ticked(); },
  };
}

} // namespace pulse
