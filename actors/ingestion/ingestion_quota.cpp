// A limit that the whole cluster shares: requests wait until the tenant's owner has lent for them.
#include <fmt/format.h>

#include "actors/ingestion/ingestion.hpp"

namespace pulse {

namespace {

constexpr auto loan_tick = std::chrono::milliseconds(10);
/// Longer than the borrower waits; it only keeps the request from being remembered for ever.
constexpr auto loan_timeout = std::chrono::seconds(1);
constexpr std::int64_t away_retry_ms = 1000;

} // namespace

void ingestion_state::borrow(const ingest_ptr& request, parsed_request parsed, ingest_reply reply) {
  const auto n = static_cast<std::int64_t>(parsed.events.size());
  const auto waiter = next_waiter++;
  held.emplace(waiter, held_request{request, std::move(parsed), std::move(reply), n});
  std::vector<borrower_action> actions;
  quota.take(waiter, n, context->time.monotonic_ms(), actions);
  carry_out(actions);
}

void ingestion_state::ask_owner(const ask_action& a) {
  const lend_request what{settings.tenant, settings.slot, gateway, a.request, a.settled, a.need, a.want, false};
  self->request(*context->desk, loan_timeout, lend_atom_v, what)
      .then(
          [this, number = a.request](const lend_answer& answer) {
            // Away is no answer: whoever waits is told when the time for one is over.
            if (answer.away)
              return;
            std::vector<borrower_action> more;
            quota.on_loan(number, answer.owner, answer.what, context->time.monotonic_ms(), more);
            carry_out(more);
          },
          [](const caf::error&) {
            // As away.
          });
}

/// Answers may come at once and add to the list: hence by index.
void ingestion_state::carry_out(std::vector<borrower_action>& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const auto action = actions[i];
    if (const auto* ask = std::get_if<ask_action>(&action))
      ask_owner(*ask);
    else if (const auto* settle = std::get_if<settle_action>(&action))
      self->send(*context->desk, settle_atom_v,
                 settle_note{settings.tenant, settings.slot, gateway, settle->through, false});
    else if (const auto* admit = std::get_if<admit_action>(&action))
      admitted(admit->waiter);
    else if (const auto* refuse = std::get_if<refuse_action>(&action))
      refused(refuse->waiter, refuse->retry_after_ms,
              {ec::rate_limited,
               fmt::format("over {} events a second (burst {}); nothing of this request was taken", settings.rate,
                           bucket_limits{settings.rate, settings.burst}.capacity()),
               ""});
    else if (const auto* away = std::get_if<away_action>(&action))
      refused(away->waiter, away_retry_ms,
              {ec::unavailable, "the owner of the tenant's limit is not within reach; nothing was taken", ""});
  }
  if (!quota.idle() && !std::exchange(ticking, true))
    self->delayed_send(ingestion_actor(self), loan_tick, tick_atom_v);
}

void ingestion_state::loan_ticked() {
  ticking = false;
  std::vector<borrower_action> actions;
  quota.tick(context->time.monotonic_ms(), actions);
  carry_out(actions);
}

void ingestion_state::admitted(std::uint64_t waiter) {
  auto found = held.extract(waiter);
  if (!found)
    return;
  auto& h = found.mapped();
  append(*h.request, std::move(h.parsed), std::move(h.reply));
}

void ingestion_state::refused(std::uint64_t waiter, std::int64_t retry_after_ms, error why) {
  auto found = held.extract(waiter);
  if (!found)
    return;
  auto& h = found.mapped();
  context->metrics.dropped(std::string(to_string(why.code)), h.n);
  h.reply.retry_after_ms = retry_after_ms;
  h.reply.failed = std::move(why);
  h.request->done(std::move(h.reply));
}

} // namespace pulse
