#include "postgres/label_store.hpp"

#include <fmt/format.h>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "models/event/standardise.hpp"
#include "models/risk/label_batch.hpp"
#include "postgres/query_rows.hpp"
#include "postgres/query_sql.hpp"

namespace pulse::postgres {

namespace {

using json = nlohmann::json;

/// Serialises a tenant's labels: which one was there before is read and then written.
constexpr int advisory_key = 727502;

/// What tells an event's entities, as far as it is stored.
std::string event_identity_read() {
  return "e.event_id, e.type, e.name, e.customer, e.anonymous_id, e.properties, e.context";
}

event to_identity(row_reader& in) {
  event e;
  e.id = event_id{in.id()};
  in.texts({&e.type, &e.name, &e.customer, &e.anonymous_id, &e.properties, &e.context});
  read_again(e, currency{});
  return e;
}

/// By place in the list.
using found_events = std::map<std::size_t, event_id>;

/// `names`: text by place. Each row has a place and an event's id; the last row of a place wins.
void add_found(pqxx::work& tx, const statement& s, const std::string& sql, found_events& out) {
  for (const auto& row : s.run(tx, sql)) {
    row_reader in(row);
    const auto place = in.value<std::size_t>();
    out[place] = event_id{in.id()};
  }
}

found_events find_events(pqxx::work& tx, tenant_id tenant, std::span<const given_label> labels, time_ms from,
                         time_ms to) {
  auto ids = json::array(), messages = json::array(), orders = json::array();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto& l = labels[i];
    if (l.id)
      ids.push_back({{"i", i}, {"k", l.id->str()}});
    else if (!l.order_id.empty())
      orders.push_back({{"i", i}, {"k", l.order_id}});
    else
      messages.push_back({{"i", i}, {"k", l.message_id}});
  }
  found_events out;
  const auto given = [](const std::string& arg, std::string_view type) {
    return fmt::format("jsonb_to_recordset({}::jsonb) AS g(i int, k {})", arg, type);
  };
  if (!ids.empty()) {
    statement s(tenant);
    const auto keys = given(s.arg(ids.dump()), "uuid");
    add_found(tx, s,
              fmt::format("SELECT g.i, e.event_id FROM {} JOIN event AS e ON e.tenant_id = $1 AND e.event_id = g.k "
                          "WHERE NOT e.test",
                          keys),
              out);
  }
  if (!orders.empty()) {
    statement s(tenant);
    const auto keys = given(s.arg(orders.dump()), "text");
    add_found(tx, s,
              fmt::format("SELECT g.i, e.event_id FROM {} JOIN event AS e ON e.tenant_id = $1 AND e.order_id = g.k "
                          "WHERE NOT e.test ORDER BY g.i, e.name = 'Order Completed', e.event_id",
                          keys),
              out);
  }
  if (!messages.empty()) {
    statement s(tenant);
    const auto keys = given(s.arg(messages.dump()), "text");
    const auto range = event_range(s, from, to);
    add_found(tx, s,
              fmt::format("SELECT g.i, e.event_id FROM event AS e JOIN {} ON e.message_id = g.k "
                          "WHERE e.tenant_id = $1 AND {} AND NOT e.test ORDER BY g.i, e.event_id",
                          keys, range),
              out);
  }
  return out;
}

using labels_by_event = std::map<event_id, const given_label*>;

/// What differs from the labels that there are, with the entities that each payment was linked by; what had been
/// decided on each goes to `decided`.
labels::batch changes_of(pqxx::work& tx, tenant_id tenant, const labels_by_event& given,
                         std::vector<label_and_outcome>& decided) {
  auto ids = json::array();
  for (const auto& [id, l] : given)
    ids.push_back(id.str());
  statement s(tenant);
  const auto keys = s.arg(ids.dump());
  labels::batch out{system_random().next_uuid(), {}};
  for (const auto& row :
       s.run(tx,
             fmt::format("SELECT l.fraud, l.reason, e.risk_outcome, {} FROM event AS e JOIN (SELECT k::uuid AS k FROM "
                         "jsonb_array_elements_text({}::jsonb) AS k) AS g ON e.event_id = g.k LEFT JOIN label AS l "
                         "ON l.tenant_id = $1 AND l.event_id = e.event_id WHERE e.tenant_id = $1",
                         event_identity_read(), keys))) {
    row_reader in(row);
    const auto was = in.maybe<bool>();
    const auto reason = in.text();
    const auto outcome = in.text();
    const auto e = to_identity(in);
    const auto* label = given.at(e.id);
    if (was == label->fraud && reason == label->reason)
      continue;
    labels::change c{e.id, was, label->fraud, {}};
    for (const auto& k : features::linked_keys(e))
      if (k)
        c.entities.push_back(*k);
    out.changes.push_back(std::move(c));
    decided.push_back({label->fraud, outcome});
  }
  return out;
}

void write_labels(pqxx::work& tx, tenant_id tenant, const labels::batch& batch, const labels_by_event& given,
                  const std::string& actor) {
  auto rows = json::array();
  for (const auto& c : batch.changes) {
    const auto& l = *given.at(c.id);
    rows.push_back({{"id", c.id.str()}, {"fraud", l.fraud}, {"reason", l.reason}, {"at", format_time(l.decided_at)}});
  }
  statement s(tenant);
  const auto list = s.arg(rows.dump());
  const auto by = s.arg(actor);
  s.run(tx, fmt::format("INSERT INTO label (tenant_id, event_id, fraud, reason, decided_at, labelled_by) "
                        "SELECT $1, g.id, g.fraud, g.reason, g.at, {} FROM jsonb_to_recordset({}::jsonb) "
                        "AS g(id uuid, fraud boolean, reason text, at timestamptz) "
                        "ON CONFLICT (tenant_id, event_id) DO UPDATE SET fraud = excluded.fraud, reason = "
                        "excluded.reason, decided_at = excluded.decided_at, labelled_at = now(), labelled_by = "
                        "excluded.labelled_by",
                        by, list));
  tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, $2, 'label', "
          "jsonb_build_object('events', $3::int))",
          pqxx::params{tenant.value, actor, static_cast<std::int64_t>(batch.changes.size())});
  // Whatever comes until then is learnt from at once.
  tx.exec(
      "INSERT INTO due (tenant_id, kind, at) VALUES ($1, 'fraud', now() + interval '1 hour') ON CONFLICT DO NOTHING",
      pqxx::params{tenant.value});
}

} // namespace

pg_label_store::pg_label_store(const std::string& url, const std::string& node) :
  db_(url, role::writer, "pulse-labels " + node) {
}

result<labelled> pg_label_store::put(tenant_id tenant, std::span<const given_label> labels, time_ms from, time_ms to,
                                     const std::string& actor) {
  return db_.run_for(tenant, "storing labels", [&](pqxx::work& tx) {
    tx.exec(fmt::format("SELECT pg_advisory_xact_lock({}, {})", advisory_key, tenant.value));
    const auto found = find_events(tx, tenant, labels, from, to);
    labels_by_event by_event;
    for (const auto& [place, id] : found)
      by_event[id] = &labels[place];
    labelled out{std::vector<label_answer>(labels.size(), {"unknown", {}}), {}, {}};
    if (found.empty())
      return out;
    const auto batch = changes_of(tx, tenant, by_event, out.changed);
    std::set<event_id> changed;
    for (const auto& c : batch.changes)
      changed.insert(c.id);
    for (const auto& [place, id] : found)
      out.answers[place] = {changed.contains(id) ? "ok" : "unchanged", id};
    if (changed.empty())
      return out;
    write_labels(tx, tenant, batch, by_event, actor);
    const auto bytes = labels::encode(batch);
    const auto whole = sha256(bytes);
    const auto hash = to_hex(std::span(whole).first(16));
    const std::string kind(slot::labels_kind), no_card("{}");
    out.control = write_version(tx, tenant, {kind, hash, bytes, no_card, actor});
    return out;
  });
}

result<page_of<stored_label>> pg_label_store::list(tenant_id tenant, const query::page_question& q) {
  return db_.run_for(tenant, "listing labels", [&](pqxx::work& tx) {
    statement s(tenant);
    std::string where;
    // The id begins with the event's time.
    if (q.from)
      where += fmt::format(" AND l.event_id >= pulse_id_at({})", s.arg(*q.from));
    if (q.to)
      where += fmt::format(" AND l.event_id < pulse_id_at({})", s.arg(*q.to));
    if (q.after)
      where += " AND l.event_id < " + s.arg(*q.after);
    page_of<stored_label> out;
    for (const auto& row : s.run(
             tx, fmt::format("SELECT l.event_id, l.fraud, l.reason, {}, {}, l.labelled_by, e.order_id FROM label AS l "
                             "LEFT JOIN event AS e ON e.tenant_id = $1 AND e.event_id = l.event_id "
                             "WHERE l.tenant_id = $1{} ORDER BY l.event_id DESC LIMIT {}",
                             millis("l.decided_at"), millis("l.labelled_at"), where, q.limit + 1))) {
      if (out.rows.size() == static_cast<std::size_t>(q.limit)) {
        out.has_more = true;
        break;
      }
      row_reader in(row);
      stored_label l;
      l.id = event_id{in.id()};
      l.fraud = in.value<bool>();
      l.reason = in.text();
      l.decided_at = in.time();
      l.labelled_at = in.time();
      in.texts({&l.labelled_by, &l.order_id});
      out.rows.push_back(std::move(l));
    }
    return out;
  });
}

result<std::vector<judged_event>> pg_label_store::judged(tenant_id tenant, time_ms from, time_ms to, std::int64_t max) {
  return db_.run_for(tenant, "reading labelled events", [&](pqxx::work& tx) {
    statement s(tenant);
    const auto low = s.arg(from), high = s.arg(to);
    std::vector<judged_event> out;
    for (const auto& row : s.run(
             tx, fmt::format("SELECT l.fraud, e.risk_outcome, e.model, e.risk_parts FROM label AS l JOIN event AS e ON "
                             "e.tenant_id = $1 AND e.event_id = l.event_id WHERE l.tenant_id = $1 AND l.event_id >= "
                             "pulse_id_at({}) AND l.event_id < pulse_id_at({}) ORDER BY l.event_id DESC LIMIT {}",
                             low, high, max))) {
      row_reader in(row);
      judged_event e;
      e.fraud = in.value<bool>();
      in.texts({&e.outcome, &e.model, &e.parts_json});
      out.push_back(std::move(e));
    }
    return out;
  });
}

} // namespace pulse::postgres
