// The steps of the sink's transaction. Each returns the database's refusal, or nothing.
#include <algorithm>
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "models/alert/candidate.hpp"
#include "models/risk/pooled.hpp"
#include "postgres/event_rows.hpp"
#include "postgres/sink_work.hpp"

namespace pulse::postgres {

namespace {

/// Parameters of one statement; it takes 65,535 at most.
constexpr std::size_t parameters_max = 6500;
/// SQLSTATE 22003.
constexpr std::string_view numeric_value_out_of_range = "22003";

std::string bytea(std::string_view bytes) {
  return "\\x" + to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

/// `{1,2,3}` over one field of the tallies.
template <class Pick>
std::string array_of(const std::map<tenant_id, tally>& tallies, Pick pick) {
  std::string out = "{";
  for (const auto& [tenant, t] : tallies)
    out += (out.size() > 1 ? "," : "") + std::to_string(pick(tenant, t));
  return out + "}";
}

/// Sorts by time of receipt, and is the same whenever the record is stored again.
uuid failed_id(time_ms received, log_generation generation, slot_id slot, log_offset offset) {
  uuid id{hash_parts({std::to_string(generation.value), std::to_string(slot.value), std::to_string(offset.value)})};
  for (std::size_t i = 0; i < 6; ++i)
    id.bytes[i] = static_cast<std::uint8_t>(received.value >> (40 - 8 * i) & 0xff);
  id.bytes[6] = static_cast<std::uint8_t>((id.bytes[6] & 0x0f) | 0x70);
  return id;
}

std::optional<sql_error> refusal(connection::outcome done) {
  if (auto* problem = std::get_if<sql_error>(&done))
    return std::move(*problem);
  return std::nullopt;
}

/// INSERT of many rows at a time: a burst of odd or refused events must not cost a round trip each.
class row_inserter {
public:
  row_inserter(connection& db, std::string insert_into) : db_(db), insert_(std::move(insert_into)) {
  }

  std::optional<sql_error> row(std::vector<std::optional<std::string>> fields) {
    values_ += values_.empty() ? "(" : ",(";
    for (auto& field : fields) {
      parameters_.push_back(std::move(field));
      values_ += fmt::format("{}${}", values_.back() == '(' ? "" : ",", parameters_.size());
    }
    values_ += ")";
    return parameters_.size() >= parameters_max ? flush() : std::nullopt;
  }

  std::optional<sql_error> flush() {
    if (values_.empty())
      return std::nullopt;
    auto problem = refusal(db_.run(insert_ + " VALUES " + values_ + " ON CONFLICT DO NOTHING", parameters_));
    values_.clear();
    parameters_.clear();
    return problem;
  }

private:
  connection& db_;
  std::string insert_;
  std::string values_;
  std::vector<std::optional<std::string>> parameters_;
};

} // namespace

std::optional<sql_error> slot_sink::insert_events(work& w) {
  const row_span rows(w.rows);
  if (auto problem = w.careful ? insert_careful(w, rows) : insert_span(w, rows))
    return problem;
  for (const auto* p : w.rows) {
    auto& t = w.tallies[p->tenant];
    // What was neither inserted nor refused was there before.
    if (w.inserted.contains(p->offset.value))
      ++t.stored;
    else
      ++t.duplicates;
  }
  for (const auto& f : w.failed)
    ++w.tallies[f.what->tenant].failed;
  for (const auto& [tenant, t] : w.tallies) {
    w.outcome.stored += t.stored;
    w.outcome.duplicates += t.duplicates;
    w.outcome.failed += t.failed;
  }
  return std::nullopt;
}

std::optional<sql_error> slot_sink::insert_span(work& w, row_span rows) {
  stored_span done;
  if (auto problem = insert_rows(rows, done))
    return problem;
  if (auto problem = insert_rollups(rows, done))
    return problem;
  if (auto problem = insert_alerts(rows, done))
    return problem;
  w.inserted.merge(done.inserted);
  w.alerted.merge(done.alerted);
  w.outcome.alerts += done.alerts;
  return std::nullopt;
}

std::optional<sql_error> slot_sink::insert_rows(row_span rows, stored_span& done) {
  if (rows.empty())
    return std::nullopt;
  copy_rows stream;
  bool minted = false;
  for (const auto* p : rows) {
    write_event(stream, *p, {config_.node, slot_});
    minted |= !p->event.timed && !p->event.message_id.empty();
  }
  if (auto problem =
          db_.copy_in(fmt::format("COPY event_stage ({},seen_hash) FROM STDIN (FORMAT binary)", event_columns),
                      std::move(stream).finish()))
    return problem;
  if (minted) {
    auto problem = db_.run_script(
        "WITH fresh AS (INSERT INTO message_seen (tenant_id, hash, event_id, seen_at) "
        "SELECT DISTINCT ON (tenant_id, seen_hash) tenant_id, seen_hash, event_id, received_at FROM event_stage "
        "WHERE seen_hash IS NOT NULL ORDER BY tenant_id, seen_hash, raw_offset ON CONFLICT DO NOTHING RETURNING "
        "event_id) "
        "DELETE FROM event_stage WHERE seen_hash IS NOT NULL AND event_id NOT IN (SELECT event_id FROM fresh)");
    if (problem)
      return problem;
  }
  auto inserted = db_.run(fmt::format("INSERT INTO event ({0}) SELECT {0} FROM event_stage ON CONFLICT DO NOTHING "
                                      "RETURNING raw_offset",
                                      event_columns));
  if (auto* problem = std::get_if<sql_error>(&inserted))
    return *problem;
  const auto& found = std::get<query_result>(inserted);
  for (int i = 0; i < found.rows(); ++i)
    done.inserted.insert(found.number(i, 0));
  return std::nullopt;
}

/// Halves around the rows that SQL refuses; a row that is refused alone is poison.
std::optional<sql_error> slot_sink::insert_careful(work& w, row_span rows) {
  if (rows.empty())
    return std::nullopt;
  if (auto problem = db_.run_script("SAVEPOINT part"))
    return problem;
  auto problem = insert_span(w, rows);
  if (!problem)
    return db_.run_script("TRUNCATE event_stage, rollup_stage; RELEASE SAVEPOINT part");
  if (!problem->is_data())
    return problem;
  if (auto back = db_.run_script("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part"))
    return back;
  if (rows.size() == 1) {
    const auto* bad = rows.front();
    w.failed.push_back({bad, {"store", "poison", problem->message, ""}});
    std::erase(w.rows, bad);
    ++w.outcome.poison;
    return std::nullopt;
  }
  // w.rows loses poison while it is walked: the halves are copies.
  const std::vector<const slot::processed*> whole(rows.begin(), rows.end());
  const row_span all(whole);
  if (auto first = insert_careful(w, all.first(all.size() / 2)))
    return first;
  return insert_careful(w, all.subspan(all.size() / 2));
}

std::optional<sql_error> slot_sink::insert_rollups(row_span rows, const stored_span& done) {
  rollup::batch_sums sums;
  for (const auto* p : rows)
    if (done.inserted.contains(p->offset.value))
      sums.add(p->event);
  if (sums.minutes().empty())
    return std::nullopt;
  if (sums.overflowed())
    return sql_error{std::string(numeric_value_out_of_range), "a sum of the rollups does not fit", false};
  copy_rows stream;
  for (const auto& [key, m] : sums.minutes())
    write_rollup(stream, rollup::grain::minute, key, m);
  for (const auto& [key, m] : sums.quarters())
    write_rollup(stream, rollup::grain::quarter, key, m);
  if (auto problem = db_.copy_in("COPY rollup_stage FROM STDIN (FORMAT binary)", std::move(stream).finish()))
    return problem;
  for (const auto* table : {"rollup_minute", "rollup_quarter"}) {
    auto problem = refusal(db_.run(fmt::format(
        "INSERT INTO {0} AS r SELECT tenant_id, dim, bucket, value, currency, events, orders, revenue_minor, "
        "refunds_minor, line_micro, anomalies, risk_milli FROM rollup_stage WHERE minute = {1} "
        "ON CONFLICT (tenant_id, dim, bucket, value, currency) DO UPDATE SET events = r.events + excluded.events, "
        "orders = r.orders + excluded.orders, revenue_minor = r.revenue_minor + excluded.revenue_minor, "
        "refunds_minor = r.refunds_minor + excluded.refunds_minor, line_micro = r.line_micro + excluded.line_micro, "
        "anomalies = r.anomalies + excluded.anomalies, risk_milli = r.risk_milli + excluded.risk_milli",
        table, std::string_view(table) == "rollup_minute")));
    if (problem)
      return problem;
  }
  return std::nullopt;
}

std::optional<sql_error> slot_sink::insert_failed(work& w) {
  row_inserter rows(db_, "INSERT INTO failed_event (tenant_id, failed_id, received_at, stage, code, detail, pointer, "
                         "message_id, trace_id, raw_slot, raw_offset, body, generation)");
  for (const auto& f : w.failed) {
    const auto& e = f.what->event;
    const auto received = e.received_at.value != 0 ? e.received_at : clock_.now();
    auto problem = rows.row(
        {std::to_string(f.what->tenant.value), failed_id(received, config_.generation, slot_, f.what->offset).str(),
         format_time(received), f.why.stage, f.why.code, f.why.detail, f.why.pointer,
         e.message_id.empty() ? std::nullopt : std::optional(e.message_id), e.trace.value.str(),
         std::to_string(slot_.value), std::to_string(f.what->offset.value),
         bytea(f.what->body.empty() ? std::string_view(e.properties) : std::string_view(f.what->body)),
         std::to_string(config_.generation.value)});
    if (problem)
      return problem;
  }
  return rows.flush();
}

std::optional<sql_error> slot_sink::insert_alerts(row_span rows, stored_span& done) {
  row_inserter out(db_, "INSERT INTO alert (tenant_id, alert_id, type, event_id, severity, title, summary, data, "
                        "trace_id)");
  for (const auto* p : rows) {
    if (!done.inserted.contains(p->offset.value))
      continue;
    const auto c = alert::candidate_of(p->event);
    if (!c)
      continue;
    auto problem = out.row({std::to_string(p->tenant.value), c->alert_id.str(), c->type, p->event.id.str(), c->severity,
                            c->title, c->summary, c->data, p->event.trace.value.str()});
    if (problem)
      return problem;
    done.alerted.insert(p->tenant);
    ++done.alerts;
  }
  return out.flush();
}

std::optional<sql_error> slot_sink::wake_alerting(work& w) {
  for (auto tenant : w.alerted) {
    auto problem = refusal(db_.run("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'alert', now()) "
                                   "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = least(due.at, excluded.at)",
                                   {std::to_string(tenant.value)}));
    if (problem)
      return problem;
    w.outcome.alerted.push_back(tenant);
  }
  return std::nullopt;
}

std::optional<sql_error> slot_sink::apply_controls(work& w) {
  for (const auto& p : w.batch.results) {
    if (p.outcome != slot::outcome::control)
      continue;
    const auto tenant = std::to_string(p.tenant.value);
    auto problem =
        refusal(db_.run("UPDATE artifact_version SET live_from = coalesce(live_from, now()) WHERE tenant_id = $1 "
                        "AND kind = $2 AND hash = $3 AND live_from IS NULL",
                        {tenant, p.control_kind, p.control_hash}));
    if (!problem)
      problem = refusal(db_.run("DELETE FROM control_pending WHERE tenant_id = $1 AND control_id = $2",
                                {tenant, p.control_id.str()}));
    if (problem)
      return problem;
    w.outcome.controlled.push_back(p.tenant);
  }
  return std::nullopt;
}

std::optional<sql_error> slot_sink::insert_images(work& w) {
  const auto generation = std::to_string(config_.generation.value);
  for (const auto& images : w.batch.images) {
    const auto tenant = std::to_string(images.tenant.value);
    for (const auto& image : images.chunks) {
      auto problem = refusal(db_.run(
          "INSERT INTO state_image (tenant_id, generation, chunk, as_of, bytes) VALUES ($1,$2,$3,$4,$5) "
          "ON CONFLICT (tenant_id, generation, chunk) DO UPDATE SET as_of = excluded.as_of, bytes = excluded.bytes",
          {tenant, generation, std::to_string(image.chunk), std::to_string(image.as_of.value), bytea(image.bytes)}));
      if (problem)
        return problem;
    }
  }
  return std::nullopt;
}

/// Trainings, and the first look at a new tenant's metric series. `counted`: tenant and its stored events, this
/// batch's included.
std::optional<sql_error> slot_sink::schedule_due(const work& w, const query_result& counted) {
  for (int i = 0; i < counted.rows(); ++i) {
    const tenant_id tenant{static_cast<std::int32_t>(counted.number(i, 0))};
    const auto stored = counted.number(i, 1);
    const auto t = w.tallies.find(tenant);
    if (t == w.tallies.end())
      continue;
    const auto before = stored - t->second.stored;
    if (before == 0 && stored > 0)
      if (auto problem = refusal(db_.run("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'series', now() + interval "
                                         "'1 minute') ON CONFLICT DO NOTHING",
                                         {std::to_string(tenant.value)})))
        return problem;
    if (!scoring::training_due(before, stored))
      continue;
    auto problem = refusal(db_.run("INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'train', now()) "
                                   "ON CONFLICT (tenant_id, kind) DO UPDATE SET at = least(due.at, excluded.at)",
                                   {std::to_string(tenant.value)}));
    if (problem)
      return problem;
  }
  return std::nullopt;
}

std::optional<sql_error> slot_sink::update_ledger(work& w) {
  const auto generation = std::to_string(config_.generation.value);
  const auto& all = w.tallies;
  if (!all.empty()) {
    const auto field = [&](std::int64_t tally::*f) {
      return array_of(all, [f](auto, const tally& t) { return t.*f; });
    };
    auto counted = db_.run(
        "INSERT INTO ledger AS l (tenant_id, generation, slot, raw, stored, duplicates, failed, control, dropped, "
        "last_offset) "
        "SELECT t, $1, $2, r, s, d, f, c, x, o FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], "
        "$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[]) AS u(t, r, s, d, f, c, x, o) "
        "ON CONFLICT (tenant_id, generation) DO UPDATE SET raw = l.raw + excluded.raw, stored = l.stored + "
        "excluded.stored, "
        "duplicates = l.duplicates + excluded.duplicates, failed = l.failed + excluded.failed, "
        "control = l.control + excluded.control, dropped = l.dropped + excluded.dropped, "
        "last_offset = greatest(l.last_offset, excluded.last_offset) RETURNING tenant_id, stored",
        {generation, std::to_string(slot_.value), array_of(all, [](tenant_id t, const tally&) { return t.value; }),
         field(&tally::raw), field(&tally::stored), field(&tally::duplicates), field(&tally::failed),
         field(&tally::control), field(&tally::dropped), field(&tally::last)});
    if (auto* problem = std::get_if<sql_error>(&counted))
      return *problem;
    if (auto problem = schedule_due(w, std::get<query_result>(counted)))
      return problem;
  }
  for (const auto& images : w.batch.images) {
    auto problem =
        refusal(db_.run("UPDATE ledger SET image_as_of = greatest(image_as_of, $3) "
                        "WHERE tenant_id = $1 AND generation = $2",
                        {std::to_string(images.tenant.value), generation, std::to_string(images.as_of.value)}));
    if (problem)
      return problem;
  }
  return std::nullopt;
}

/// A tenant made without a currency gets that of its first money event.
std::optional<sql_error> slot_sink::learn_currencies(work& w) {
  for (const auto* p : w.rows) {
    const auto& e = p->event;
    if (!e.amount || e.amount->unit.empty() || e.amount->unit.str() == "XXX" || e.test ||
        !w.inserted.contains(p->offset.value) || currency_known_.contains(p->tenant))
      continue;
    auto problem = refusal(db_.run("UPDATE tenant SET currency = $2 WHERE tenant_id = $1 AND currency IS NULL",
                                   {std::to_string(p->tenant.value), e.amount->unit.str()}));
    if (problem)
      return problem;
    currency_known_.insert(p->tenant);
  }
  return std::nullopt;
}

} // namespace pulse::postgres
