// Trails: an event by its id or its message's, what became of it, and who was told.
#include <fmt/format.h>
#include <functional>

#include "base/encoding.hpp"
#include "models/alert/candidate.hpp"
#include "postgres/query_rows.hpp"
#include "postgres/query_sql.hpp"
#include "postgres/query_store.hpp"

namespace pulse::postgres {

namespace {

void find_event(pqxx::work& tx, tenant_id tenant, const std::string& id, time_ms from, time_ms to, event_trail& out) {
  const auto one = [&](const std::function<std::string(statement&)>& condition) {
    statement s(tenant);
    const auto where = condition(s);
    const auto rows = s.run(tx, fmt::format("SELECT {} FROM event AS e WHERE e.tenant_id = $1 AND {} "
                                            "ORDER BY e.event_id DESC LIMIT 1",
                                            event_columns_read(), where));
    if (!rows.empty())
      out.stored = to_event(rows[0]);
  };
  if (const auto key = uuid::parse(id))
    one([&](statement& s) { return "e.event_id = " + s.arg(*key); });
  if (!out.stored)
    one([&](statement& s) {
      // Where the door minted the id, message_seen knows it.
      const auto h = hash_parts({id});
      return fmt::format("e.event_id = (SELECT event_id FROM message_seen WHERE tenant_id = $1 AND hash = decode({}, "
                         "'hex'))",
                         s.arg(to_hex(h)));
    });
  if (!out.stored)
    one([&](statement& s) { return event_range(s, from, to) + " AND e.message_id = " + s.arg(id); });
}

void find_failed(pqxx::work& tx, tenant_id tenant, const std::string& id, time_ms from, time_ms to, event_trail& out) {
  statement s(tenant);
  const auto key = uuid::parse(id);
  std::string where = fmt::format(
      "failed_id >= pulse_id_at({}) AND failed_id < pulse_id_at({}) AND message_id = ", s.arg(from), s.arg(to));
  where += s.arg(out.stored ? out.stored->message_id : id);
  if (key)
    where = fmt::format("(({}) OR failed_id = {})", where, s.arg(*key));
  for (const auto& row : s.run(tx, fmt::format("SELECT {} FROM failed_event WHERE tenant_id = $1 AND {} "
                                               "ORDER BY failed_id LIMIT 100",
                                               failed_columns_read(), where)))
    out.failed.push_back(to_failed(row));
}

void find_alert(pqxx::work& tx, tenant_id tenant, event_trail& out) {
  const auto id = alert::alert_id(tenant, out.stored->id.str(), "event.flagged");
  statement s(tenant);
  const auto key = s.arg(id);
  const auto rows = s.run(tx, fmt::format("SELECT alert_id, {}, type, severity, title, state FROM alert WHERE "
                                          "tenant_id = $1 AND alert_id = {}",
                                          millis("created_at"), key));
  if (rows.empty())
    return;
  row_reader in(rows[0]);
  alert_step step;
  step.id = in.id();
  step.created_at = in.time();
  in.texts({&step.type, &step.severity, &step.title, &step.state});
  out.alert = step;
  for (const auto& row : s.run(
           tx, fmt::format("SELECT a.endpoint_id, a.attempt, {}, a.status, a.error, a.seconds FROM delivery AS d JOIN "
                           "attempt AS a ON a.tenant_id = d.tenant_id AND a.delivery_id = d.delivery_id WHERE "
                           "d.tenant_id = $1 AND d.alert_id = {} AND a.tenant_id = $1 ORDER BY a.at LIMIT 1000",
                           millis("a.at"), key))) {
    row_reader r(row);
    delivery_step d;
    d.endpoint = r.id();
    d.attempt = r.value<std::int64_t>();
    d.at = r.time();
    d.status = r.maybe<std::int64_t>();
    d.error = r.text();
    d.seconds = r.value<double>();
    out.deliveries.push_back(std::move(d));
  }
}

} // namespace

result<event_trail> pg_query_store::trail(tenant_id tenant, const std::string& id, time_ms from, time_ms to) {
  return read_for(tenant, "reading a trail", [&](pqxx::work& tx) {
    event_trail out;
    find_event(tx, tenant, id, from, to, out);
    if (!out.stored || !out.stored->message_id.empty())
      find_failed(tx, tenant, id, from, to, out);
    if (out.stored)
      find_alert(tx, tenant, out);
    if (!out.stored && out.failed.empty())
      throw refused({ec::not_found,
                     fmt::format("there is no event '{}' between {} and {}; older ones by message id need from and to",
                                 id, format_time(from), format_time(to)),
                     ""});
    return out;
  });
}

} // namespace pulse::postgres
