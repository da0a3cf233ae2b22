#include "postgres/slot_sink.hpp"

#include <algorithm>
#include <fmt/format.h>

#include "postgres/event_rows.hpp"
#include "postgres/sink_work.hpp"

namespace pulse::postgres {

namespace {

/// By this name the next owner finds the sessions of a run that has stopped answering.
std::string writer_name(const std::string& run, slot_id slot) {
  return fmt::format("pulse-writer {} {}", run, slot.value);
}

} // namespace

slot_sink::slot_sink(sink_config config, const clock& time) :
  config_(std::move(config)),
  clock_(time),
  db_(conninfo(config_.url, role::writer, fmt::format("pulse-writer {}", config_.node), config_.term_ms)) {
}

result<void> slot_sink::ready() {
  if (auto ok = db_.ensure(); !ok) {
    staged_ = false;
    return ok;
  }
  if (staged_)
    return {};
  // Commits are few and large; the log holds what is not committed yet.
  if (const auto problem = db_.run_script(std::string(create_stages))) {
    db_.close();
    return problem->to_error("making the stages");
  }
  auto named = db_.run("SELECT set_config('application_name', $1, false)", {writer_name(config_.node, slot_)});
  if (const auto* problem = std::get_if<sql_error>(&named)) {
    db_.close();
    return problem->to_error("naming the session");
  }
  staged_ = true;
  return {};
}

result<slot_start> slot_sink::take_over(slot_id slot) {
  slot_ = slot;
  if (auto ok = ready(); !ok)
    return ok.err();
  const auto generation = std::to_string(config_.generation.value);
  const auto number = std::to_string(slot.value);
  auto moved = db_.run("INSERT INTO log_position AS p (generation, slot, epoch) VALUES ($1, $2, 1) "
                       "ON CONFLICT (generation, slot) DO UPDATE SET epoch = p.epoch + 1 RETURNING next_offset, epoch",
                       {generation, number});
  if (const auto* problem = std::get_if<sql_error>(&moved))
    return problem->to_error("taking over the slot");
  const auto& row = std::get<query_result>(moved);
  return start_at(log_offset{row.number(0, 0)}, epoch{row.number(0, 1)});
}

/// By lease the epoch is given. Asked again under the same one (the answer was lost), it is the same take-over.
result<slot_start> slot_sink::take_over(slot_id slot, const slot_claim& claim) {
  slot_ = slot;
  if (auto ok = end_backends(claim.taken_from); !ok)
    return ok.err();
  if (auto ok = ready(); !ok)
    return ok.err();
  const auto key = std::vector<std::optional<std::string>>{
      std::to_string(config_.generation.value), std::to_string(slot.value), std::to_string(claim.epoch.value)};
  auto moved = db_.run("INSERT INTO log_position AS p (generation, slot, epoch) VALUES ($1, $2, $3) "
                       "ON CONFLICT (generation, slot) DO UPDATE SET epoch = excluded.epoch "
                       "WHERE p.epoch <= excluded.epoch RETURNING next_offset",
                       key);
  if (const auto* problem = std::get_if<sql_error>(&moved))
    return problem->to_error("taking over the slot");
  if (std::get<query_result>(moved).rows() == 0)
    return error{ec::fenced, fmt::format("slot {} has a newer owner than epoch {}", slot.value, claim.epoch.value), ""};
  return start_at(log_offset{std::get<query_result>(moved).number(0, 0)}, claim.epoch);
}

/// A process that was stopped keeps its locks; so its sessions for this slot are ended, by the user they were opened
/// by.
result<void> slot_sink::end_backends(const std::string& run) {
  if (run.empty())
    return {};
  connection owner(conninfo(config_.url, role::owner, "pulse-take-over"));
  if (auto ok = owner.ensure(); !ok)
    return ok;
  auto ended = owner.run("SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name = $1",
                         {writer_name(run, slot_)});
  if (const auto* problem = std::get_if<sql_error>(&ended))
    return problem->to_error("ending the old owner's sessions");
  return {};
}

result<slot_start> slot_sink::start_at(log_offset position, epoch held) {
  const auto generation = std::to_string(config_.generation.value);
  const auto number = std::to_string(slot_.value);
  slot_start start;
  start.position = position;
  start.epoch = epoch_ = held;
  connection node(conninfo(config_.url, role::node, "pulse-take-over"));
  if (auto ok = node.ensure(); !ok)
    return ok.err();
  auto dirty = node.run("SELECT tenant_id, image_as_of, last_offset FROM ledger "
                        "WHERE generation = $1 AND slot = $2 AND last_offset > image_as_of",
                        {generation, number});
  if (const auto* problem = std::get_if<sql_error>(&dirty))
    return problem->to_error("reading the ledger");
  const auto& rows = std::get<query_result>(dirty);
  for (int i = 0; i < rows.rows(); ++i)
    start.dirty.push_back({tenant_id{static_cast<std::int32_t>(rows.number(i, 0))}, log_offset{rows.number(i, 1)},
                           log_offset{rows.number(i, 2)}});
  auto deleted = node.run("SELECT tenant_id FROM tenant WHERE slot = $1 AND deleted_at IS NOT NULL", {number});
  if (const auto* problem = std::get_if<sql_error>(&deleted))
    return problem->to_error("reading tombstones");
  const auto& gone = std::get<query_result>(deleted);
  for (int i = 0; i < gone.rows(); ++i)
    start.deleted.emplace_back(static_cast<std::int32_t>(gone.number(i, 0)));
  return start;
}

result<commit_outcome> slot_sink::commit(const slot::batch& batch) {
  if (auto ok = ready(); !ok)
    return ok.err();
  bool data_error = false;
  auto done = attempt(batch, false, data_error);
  if (!done && data_error && !db_.run_script("ROLLBACK"))
    done = attempt(batch, true, data_error);
  if (!done) {
    // Whatever is half done goes with the connection.
    db_.close();
    staged_ = false;
    if (data_error)
      return error{ec::unavailable, done.err().detail, ""};
  }
  return done;
}

std::optional<sql_error> slot_sink::begin(work& w) {
  std::string tenants;
  for (const auto& [tenant, t] : w.tallies)
    tenants += (tenants.empty() ? "" : ",") + std::to_string(tenant.value);
  for (const auto& images : w.batch.images)
    tenants += (tenants.empty() ? "" : ",") + std::to_string(images.tenant.value);
  if (auto problem = db_.run_script("BEGIN"))
    return problem;
  auto set = db_.run("SELECT set_config('app.tenants', $1, true)", {tenants});
  if (auto* problem = std::get_if<sql_error>(&set))
    return *problem;
  return std::nullopt;
}

result<commit_outcome> slot_sink::attempt(const slot::batch& batch, bool careful, bool& data_error) {
  work w{batch, careful, {}, {}, {}, {}, {}, {}};
  data_error = false;
  const auto oldest = clock_.now().value - config_.horizon_days * day_ms;
  for (const auto& p : batch.results) {
    auto& t = w.tallies[p.tenant];
    ++t.raw;
    t.last = std::max(t.last, p.offset.value);
    switch (p.outcome) {
      case slot::outcome::failed: w.failed.push_back({&p, p.failure}); break;
      case slot::outcome::control: ++t.control; break;
      case slot::outcome::dropped: ++t.dropped; break;
      case slot::outcome::stored:
        if (p.event.duplicate)
          ++t.duplicates;
        else if (p.event.id.unix_ms() < oldest)
          w.failed.push_back({&p, {"store", "older_than_retention", "the event is older than what is kept", ""}});
        else
          w.rows.push_back(&p);
    }
  }
  using step = std::optional<sql_error> (slot_sink::*)(work&);
  static constexpr std::pair<std::string_view, step> steps[] = {
      {"beginning", &slot_sink::begin},
      {"storing events, counts and alerts", &slot_sink::insert_events},
      {"storing failed events", &slot_sink::insert_failed},
      {"waking alerting", &slot_sink::wake_alerting},
      {"applying control records", &slot_sink::apply_controls},
      {"storing images", &slot_sink::insert_images},
      {"keeping the ledger", &slot_sink::update_ledger},
      {"learning currencies", &slot_sink::learn_currencies},
  };
  for (const auto& [where, run] : steps) {
    if (const auto problem = (this->*run)(w)) {
      data_error = problem->is_data();
      return problem->to_error(where);
    }
  }
  auto mine = move_position(batch);
  if (!mine)
    return mine.err();
  if (!*mine)
    return commit_outcome{};
  if (const auto problem = db_.run_script("COMMIT"))
    return problem->to_error("committing");
  return w.outcome;
}

/// True when the position moved and the transaction may commit; false when the batch is stored already.
result<bool> slot_sink::move_position(const slot::batch& batch) {
  const auto key = std::vector<std::optional<std::string>>{
      std::to_string(config_.generation.value), std::to_string(slot_.value), std::to_string(epoch_.value),
      std::to_string(batch.from.value), std::to_string(batch.to.value)};
  auto moved = db_.run("UPDATE log_position SET next_offset = $5 "
                       "WHERE generation = $1 AND slot = $2 AND epoch = $3 AND next_offset = $4",
                       key);
  if (const auto* problem = std::get_if<sql_error>(&moved))
    return problem->to_error("moving the position");
  if (std::get<query_result>(moved).affected() == 1)
    return true;
  auto found =
      db_.run("SELECT next_offset, epoch FROM log_position WHERE generation = $1 AND slot = $2", {key[0], key[1]});
  if (const auto* problem = std::get_if<sql_error>(&found))
    return problem->to_error("reading the position");
  const auto& row = std::get<query_result>(found);
  if (row.rows() == 1 && row.number(0, 1) == epoch_.value && row.number(0, 0) == batch.to.value) {
    (void)db_.run_script("ROLLBACK");
    return false;
  }
  return error{ec::fenced, fmt::format("slot {} has a newer owner than epoch {}", slot_.value, epoch_.value), ""};
}

} // namespace pulse::postgres
