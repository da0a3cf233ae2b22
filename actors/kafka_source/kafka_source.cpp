#include "actors/kafka_source/kafka_source.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "actors/ingestion/ingestion.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "kafka_source";
/// A claim; pokes come every three or four seconds, and opening may block for ten.
constexpr std::int64_t claim_seconds = 20;
/// It is let go so much before its end.
constexpr std::int64_t claim_margin_ms = 4000;
constexpr std::size_t batch_records_max = 500;
constexpr std::size_t batch_bytes_max = 1 << 20;
constexpr int read_wait_ms = 200;
constexpr std::int64_t answer_within_ms = 15'000;
constexpr std::int64_t look_ms = 100;
/// Ends of partitions are kept fresh while nothing else is to be stored.
constexpr std::int64_t show_every_ms = 10'000;

} // namespace

kafka_source_state::kafka_source_state(kafka_source_actor::pointer p, context_ptr c, tenant_id t,
                                       const std::string& source, ingest_door_actor d) :
  self(p),
  context(std::move(c)),
  tenant(t),
  door(std::move(d)),
  store(context->make_source_store()),
  holder(context->random.next_uuid().str()) {
  if (auto parsed = uuid::parse(source))
    id = *parsed;
}

/// By a poke: this node still holds the tenant's slot.
void kafka_source_state::claim() {
  const auto asked = context->time.monotonic_ms();
  auto got = store->claim(tenant, id, holder, claim_seconds);
  if (!got) {
    // With Postgres away it goes on until the claim is over.
    if (!is_retryable(got.err().code))
      end();
    return;
  }
  if (!*got || (claimed && claimed->version != (*got)->version))
    return end();
  claimed_until = asked + claim_seconds * second_ms - claim_margin_ms;
  if (!claimed)
    begin(std::move(**got));
}

void kafka_source_state::begin(claimed_source&& first) {
  claimed = std::move(first);
  auto compiled = source::record_mapping::compile(claimed->config.mapping);
  if (!compiled) {
    log::error("source_not_usable", component, compiled.err().detail, {tenant, {}, ""});
    return end();
  }
  mapping = std::move(*compiled);
  arm(0);
}

void kafka_source_state::step() {
  const auto now = context->time.monotonic_ms();
  if (ended || !claimed)
    return;
  if (now >= claimed_until)
    return end();
  switch (progress.next(now)) {
    case source::step::open: open(); break;
    case source::step::read: read(); break;
    case source::step::send: send(); break;
    case source::step::save: save(); break;
    case source::step::wait: break;
  }
  if (ended)
    return;
  show();
  const auto next = progress.next(context->time.monotonic_ms());
  arm(next == source::step::wait ? look_ms : next == source::step::read ? 1 : 0);
}

void kafka_source_state::open() {
  reader = nullptr;
  auto allow = parse_cidrs(claimed->allow);
  source_start start{claimed->config, claimed->topic_id, claimed->next, context->allowed_networks};
  if (allow)
    start.allow.insert(start.allow.end(), allow->begin(), allow->end());
  auto opened = context->open_source(start);
  if (auto* fault = std::get_if<source_fault>(&opened))
    return lost(fault->code, fault->detail);
  reader = std::move(std::get<std::unique_ptr<source_reader>>(opened));
  origin = reader->origin();
  // From here on `latest` is these offsets.
  source_report report;
  report.topic_id = origin.topic_id;
  report.saved.next = reader->begins();
  report.status = {"running", "", ""};
  if (auto ok = store->report(tenant, id, holder, claimed->version, report); !ok) {
    if (ok.err().code == ec::fenced)
      return end();
    return lost("internal", "the positions can't be stored: " + ok.err().detail);
  }
  claimed->topic_id = origin.topic_id;
  claimed->next = reader->begins();
  progress.opened(context->time.monotonic_ms());
}

void kafka_source_state::lost(const std::string& code, const std::string& detail) {
  reader = nullptr;
  context->metrics.source_failed(code);
  progress.lost(code, detail, context->time.monotonic_ms());
}

std::int64_t kafka_source_state::lag() const {
  std::int64_t sum = 0;
  for (const auto& [partition, end] : ends)
    if (const auto it = claimed->next.find(partition); it != claimed->next.end())
      sum += std::max<std::int64_t>(0, end - it->second);
  return sum;
}

void kafka_source_state::read() {
  auto got = reader->read(batch_records_max, batch_bytes_max, read_wait_ms);
  if (auto* fault = std::get_if<source_fault>(&got))
    return lost(fault->code, fault->detail);
  auto& batch_read = std::get<source_batch>(got);
  ends = std::move(batch_read.ends);
  if (!batch_read.note.empty())
    remark = std::move(batch_read.note);
  progress.took(std::move(batch_read.records), context->time.monotonic_ms());
}

void kafka_source_state::send() {
  auto request = std::make_shared<ingest_request>();
  request->tenant = tenant;
  request->trace = trace_id{context->random.next_uuid()};
  const auto how = context_of(*request, *context);
  request->parsed.emplace();
  for (const auto& r : progress.batch()) {
    auto& e = request->parsed->events.emplace_back(source::to_event(r, origin, mapping, how));
    e.verdict.index = request->parsed->events.size() - 1;
  }
  // Called on a thread of the log, or of ingestion; this child may be gone by then.
  request->done = [to = kafka_source_actor(self), number = ++batch](const ingest_reply& reply) {
    auto answer = std::make_shared<source_answer>();
    answer->batch = number;
    answer->what.failed = reply.failed;
    answer->what.retry_after_ms = reply.retry_after_ms;
    for (const auto& line : reply.lines)
      ++(line.said.result == verdict_result::rejected ? answer->what.refused : answer->what.accepted);
    caf::anon_send(to, source_answer_ptr(std::move(answer)));
  };
  self->send(door, ingest_atom_v, ingest_ptr(std::move(request)));
  progress.sent(context->time.monotonic_ms() + answer_within_ms);
}

void kafka_source_state::save() {
  source_report report;
  report.topic_id = origin.topic_id;
  report.saved = progress.to_save();
  report.ends = ends;
  report.status = {"running", "", remark};
  const auto ok = store->report(tenant, id, holder, claimed->version, report);
  if (!ok && ok.err().code == ec::fenced)
    return end();
  if (ok) {
    shown = report.status;
    shown_at = context->time.monotonic_ms();
    for (const auto& [partition, next] : report.saved.next)
      claimed->next[partition] = next;
    context->metrics.source_read(id.str(), report.saved.accepted, report.saved.refused, lag());
    remark.clear();
  }
  progress.stored(ok, context->time.monotonic_ms());
}

/// Tells the tenant what changed. What can't be told now is told with the next change.
void kafka_source_state::show() {
  auto now_seen = progress.seen();
  if (now_seen.state == "running")
    now_seen.detail = remark.empty() && shown.state == "running" ? shown.detail : remark;
  const auto now = context->time.monotonic_ms();
  if (now_seen == shown && now - shown_at < show_every_ms)
    return;
  if (now_seen.state == "failing" && (shown.state != "failing" || shown.code != now_seen.code))
    log::warning("source_failing", component,
                 fmt::format("source {}: {}: {}", id.str(), now_seen.code, now_seen.detail), {tenant, {}, ""});
  source_report report;
  report.topic_id = reader ? origin.topic_id : "";
  report.ends = reader ? ends : source::positions{};
  report.status = now_seen;
  shown = now_seen;
  shown_at = now;
  if (auto ok = store->report(tenant, id, holder, claimed->version, report); !ok && ok.err().code == ec::fenced)
    end();
}

void kafka_source_state::arm(std::int64_t delay_ms) {
  if (std::exchange(armed, true))
    return;
  if (delay_ms == 0)
    self->send(kafka_source_actor(self), tick_atom_v);
  else
    self->delayed_send(kafka_source_actor(self), std::chrono::milliseconds(delay_ms), tick_atom_v);
}

void kafka_source_state::end() {
  if (std::exchange(ended, true))
    return;
  reader = nullptr;
  context->metrics.source_gone(id.str());
  if (claimed)
    if (auto ok = store->release(tenant, id, holder); !ok)
      log::warning("source_not_released", component, ok.err().detail, {tenant, {}, ""});
  self->quit(caf::exit_reason::normal);
}

kafka_source_actor::behavior_type kafka_source_state::make_behavior() {
  self->set_exit_handler([this](const caf::exit_msg&) { end(); });
  return {
      [this](source_atom) { claim(); },
      [this](const source_answer_ptr& answer) {
        if (answer->batch == batch)
          progress.answered(answer->what, context->time.monotonic_ms());
        step();
      },
      [this](tick_atom) {
        armed = false;
        step();
      },
  };
}

} // namespace pulse
