#include "actors/alerting/alerting.hpp"

#include <fmt/format.h>

#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "alerting";
/// Attempts at once for one endpoint; a round claims as many again at most before it is seen as busy.
constexpr std::int64_t per_endpoint_max = 8;
constexpr std::int64_t claim_max = 64;

double chance_of(random_source& random) {
  std::array<std::uint8_t, 4> bytes{};
  random.fill(bytes);
  std::uint32_t v = 0;
  for (auto b : bytes)
    v = v << 8U | b;
  return v / 4294967296.0;
}

attempt_result result_of(const attempt_end& end, random_source& random) {
  attempt_result out;
  out.delivery_id = end.what.delivery_id;
  out.attempt = end.what.attempt;
  out.chance = chance_of(random);
  if (end.reply) {
    out.status = end.reply->status;
    out.seconds = end.reply->seconds;
    out.reply_head = end.reply->body_head;
    out.retry_after_s = end.reply->retry_after_s;
  } else {
    out.error = end.reply.err().detail;
    out.hopeless = end.reply.err().code == ec::invalid || end.reply.err().code == ec::malformed;
  }
  return out;
}

/// The message of this attempt, signed with every secret that is good now.
result<http_post> post_of(const claimed_delivery& c, const std::string& public_url, time_ms now) {
  std::vector<alert::webhook_secret> secrets;
  for (const auto& text : c.secrets) {
    auto secret = alert::webhook_secret::parse(text);
    if (!secret)
      return secret.err();
    secrets.push_back(std::move(*secret));
  }
  auto outgoing = c.alert;
  if (!public_url.empty())
    outgoing.url = fmt::format("{}/v1/alerts/{}", public_url, c.alert.alert_id.str());
  auto message = alert::build_webhook(outgoing, secrets, now);
  if (!message)
    return message.err();
  auto allow = parse_cidrs(c.allow);
  if (!allow)
    return allow.err();
  http_post post;
  post.url = c.url;
  post.headers = std::move(message->headers);
  post.body = std::move(message->body);
  post.lane = c.endpoint_id.str();
  post.allow = std::move(*allow);
  return post;
}

/// One round of the database's part. A result that cannot be recorded is not lost: its lease runs out.
result<void> work_round(alert_store& store, tenant_id tenant, const std::vector<attempt_result>& results,
                        bool look_for_new, const claim_limits& limits, const clock& time, alert_round& out) {
  if (!results.empty()) {
    auto done = store.record(tenant, time.now(), results);
    if (!done)
      return done.err();
    out.recorded_as = std::move(*done);
  }
  if (look_for_new) {
    const auto planned = store.plan(tenant, time.now());
    if (!planned)
      return planned.err();
    out.more = planned->more;
  }
  auto claimed = store.claim(tenant, time.now(), limits);
  if (!claimed)
    return claimed.err();
  out.claimed = std::move(*claimed);
  out.more |= static_cast<std::int64_t>(out.claimed.size()) >= limits.max;
  return {};
}

} // namespace

alerting_state::alerting_state(alerting_actor::pointer p, context_ptr c, tenant_id t, store_worker_actor w) :
  self(p), context(std::move(c)), tenant(t), worker(std::move(w)) {
}

void alerting_state::wake() {
  wanted = true;
  start_round();
}

std::vector<uuid> alerting_state::busy_endpoints() const {
  std::vector<uuid> out;
  for (const auto& [endpoint, n] : in_flight)
    if (n >= per_endpoint_max)
      out.push_back(endpoint);
  return out;
}

void alerting_state::start_round() {
  if (round_open || (!wanted && ended.empty()))
    return;
  round_open = true;
  const bool look_for_new = std::exchange(wanted, false);
  auto told = std::exchange(ended, {});
  std::vector<attempt_result> results;
  for (const auto& end : told)
    results.push_back(result_of(*end, context->random));
  claim_limits limits;
  limits.max = claim_max;
  limits.per_endpoint = per_endpoint_max;
  limits.busy = busy_endpoints();
  auto round = std::make_shared<alert_round>();
  auto job = std::make_shared<alert_job>(
      [c = context, t = tenant, results = std::move(results), look_for_new, limits, round](alert_store& store) {
        if (auto done = work_round(store, t, results, look_for_new, limits, c->time, *round); !done)
          round->failed = done.err();
      });
  // After a timeout the job may still run: what it claims then is made again when the lease has run out.
  self->request(worker, store_timeout, job_atom_v, alert_job_ptr(std::move(job)))
      .then([this, told, round] { end_round(told, *round); },
            [this](const caf::error& e) {
              round_open = false;
              log::warning("alert_round_lost", component, caf::to_string(e), {tenant, {}, ""});
            });
}

void alerting_state::end_round(const std::vector<attempt_end_ptr>& told, const alert_round& round) {
  round_open = false;
  for (std::size_t i = 0; i < round.recorded_as.size(); ++i) {
    const auto& end = *told[i];
    const auto what = round.recorded_as[i];
    context->metrics.delivery(std::string(to_string(what)), end.reply ? end.reply->seconds : 0);
    const bool worth_a_line = what == recorded::failed || what == recorded::disabled || what == recorded::stale ||
                              (what == recorded::retry && end.what.attempt == 1);
    if (worth_a_line)
      log::warning(fmt::format("delivery_{}", to_string(what)), component,
                   fmt::format("alert {} to endpoint {}, attempt {}: {}", end.what.alert.alert_id.str(),
                               end.what.endpoint_id.str(), end.what.attempt,
                               end.reply ? fmt::format("status {}", end.reply->status) : end.reply.err().detail),
                   {tenant, end.what.trace, ""});
  }
  for (const auto& claimed : round.claimed)
    send(claimed);
  if (round.failed) {
    // Stays due: the next call comes within a second or two, and tries again to record what was told.
    if (is_retryable(round.failed->code))
      ended.insert(ended.end(), told.begin() + static_cast<std::ptrdiff_t>(round.recorded_as.size()), told.end());
    log::warning("alert_round_failed", component, round.failed->detail, {tenant, {}, ""});
    return;
  }
  wanted |= round.more;
  start_round();
}

void alerting_state::send(claimed_delivery claimed) {
  ++in_flight[claimed.endpoint_id];
  auto post = post_of(claimed, context->public_url, context->time.now());
  if (!post) {
    self->send(alerting_actor(self),
               attempt_end_ptr(std::make_shared<attempt_end>(attempt_end{std::move(claimed), post.err()})));
    return;
  }
  // Called on the notifier's thread, once; the actor may be gone by then.
  context->notify->send(
      std::move(*post), [to = alerting_actor(self), claimed = std::move(claimed)](result<http_reply> reply) {
        caf::anon_send(to, attempt_end_ptr(std::make_shared<attempt_end>(attempt_end{claimed, std::move(reply)})));
      });
}

void alerting_state::take(const attempt_end_ptr& end) {
  auto& n = in_flight[end->what.endpoint_id];
  if (--n <= 0)
    in_flight.erase(end->what.endpoint_id);
  ended.push_back(end);
  start_round();
}

alerting_actor::behavior_type alerting_state::make_behavior() {
  return {
      [this](alert_atom) { wake(); },
      [this](const attempt_end_ptr& end) { take(end); },
  };
}

} // namespace pulse
