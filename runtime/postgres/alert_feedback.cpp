// What people say of alerts: the latest word of each, and all of them for the watch and the report.
#include <algorithm>
#include <fmt/format.h>

#include "postgres/alert_admin.hpp"
#include "postgres/alert_work.hpp"
#include "postgres/judged_rows.hpp"

namespace pulse::postgres {

namespace {

constexpr std::int64_t words_max = 5'000;

std::string verdict_name(bool useful) {
  return useful ? "useful" : "false_alarm";
}

/// True when something changed. A word that is repeated stands since it was first given.
bool keep_word(pqxx::work& tx, tenant_id tenant, const uuid& alert, const alert_verdict& word,
               const std::string& actor) {
  return tx.exec("INSERT INTO alert_feedback AS f (tenant_id, alert_id, verdict, note, judged_by) VALUES "
                 "($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, alert_id) DO UPDATE SET verdict = excluded.verdict, "
                 "note = excluded.note, judged_by = excluded.judged_by, judged_at = CASE WHEN f.verdict = "
                 "excluded.verdict THEN f.judged_at ELSE excluded.judged_at END WHERE (f.verdict, f.note) <> "
                 "(excluded.verdict, excluded.note)",
                 pqxx::params{tenant.value, alert.str(), verdict_name(word.useful), word.note, actor})
             .affected_rows() > 0;
}

} // namespace

std::vector<series::judged_incident> read_judged(pqxx::work& tx, tenant_id tenant, time_ms since) {
  std::vector<series::judged_incident> out;
  for (const auto& row :
       tx.exec("SELECT a.data->>'metric', coalesce(a.data->>'segment', ''), a.data->>'direction' = 'up', "
               "(a.data->>'weight')::float8, (extract(epoch FROM a.created_at) * 1000)::bigint, "
               "(extract(epoch FROM f.judged_at) * 1000)::bigint, f.verdict = 'useful', a.held_reason IS NOT NULL "
               "FROM alert_feedback f JOIN alert a ON a.tenant_id = $1 AND a.alert_id = f.alert_id WHERE "
               "f.tenant_id = $1 AND f.judged_at > $2::timestamptz AND a.type = 'metric.anomaly' AND "
               "jsonb_typeof(a.data->'weight') = 'number' AND a.data->>'metric' IS NOT NULL AND "
               "a.data->>'direction' IN ('up', 'down') ORDER BY f.judged_at DESC, f.alert_id LIMIT $3",
               pqxx::params{tenant.value, format_time(since), words_max}))
    out.push_back({{row[0].as<std::string>(), row[1].as<std::string>(), row[2].as<bool>()},
                   row[3].as<double>(),
                   {row[4].as<std::int64_t>()},
                   {row[5].as<std::int64_t>()},
                   row[6].as<bool>(),
                   row[7].as<bool>()});
  std::reverse(out.begin(), out.end());
  return out;
}

result<void> pg_alert_admin::judge(tenant_id tenant, const uuid& alert, const std::optional<alert_verdict>& word,
                                   const std::string& actor) {
  return writer_.run_for(tenant, "judging an alert", [&](pqxx::work& tx) {
    const auto found = tx.exec("SELECT type FROM alert WHERE tenant_id = $1 AND alert_id = $2 FOR UPDATE",
                               pqxx::params{tenant.value, alert.str()});
    if (found.empty())
      throw refused({ec::not_found, fmt::format("there is no alert {}", alert.str()), ""});
    if (found[0][0].view() != "metric.anomaly")
      throw refused(
          {ec::conflict,
           fmt::format("an alert of type {} takes no feedback, metric.anomaly does; of a flagged event a label "
                       "says what it was",
                       found[0][0].view()),
           ""});
    const bool changed = word ? keep_word(tx, tenant, alert, *word, actor)
                              : tx.exec("DELETE FROM alert_feedback WHERE tenant_id = $1 AND alert_id = $2",
                                        pqxx::params{tenant.value, alert.str()})
                                        .affected_rows() > 0;
    if (changed)
      tx.exec("INSERT INTO audit (tenant_id, actor, action, detail) VALUES ($1, $2, 'judge alert', "
              "jsonb_build_object('id', $3::text, 'verdict', $4::text))",
              pqxx::params{tenant.value, actor, alert.str(),
                           word ? std::optional(verdict_name(word->useful)) : std::nullopt});
  });
}

result<judged_alerts> pg_alert_admin::judged(tenant_id tenant, time_ms from, time_ms to) {
  return reader_.run_for(tenant, "reading feedback", [&](pqxx::work& tx) {
    judged_alerts out;
    out.withheld =
        tx.exec(
              "SELECT count(*) FROM alert WHERE tenant_id = $1 AND type = 'metric.anomaly' AND held_reason IS NOT NULL "
              "AND created_at >= $2::timestamptz AND created_at < $3::timestamptz",
              pqxx::params{tenant.value, format_time(from), format_time(to)})[0][0]
            .as<std::int64_t>();
    out.words = read_judged(tx, tenant, {std::max<std::int64_t>(0, from.value - judged_ms)});
    return out;
  });
}

} // namespace pulse::postgres
