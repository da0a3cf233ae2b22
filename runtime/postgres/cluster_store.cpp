#include "postgres/cluster_store.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pulse::postgres {

namespace {

/// A lease's end from now on, in whole milliseconds, so that it is the same number on both sides. $1 is the generation
/// and $2 the term in every statement that has one.
constexpr auto ends = "date_trunc('milliseconds', clock_timestamp()) + $2::float8 * interval '1 millisecond'";
/// As cluster::is_out.
constexpr auto is_out = "(l.expires_at <= clock_timestamp() OR "
                        "l.expires_at > clock_timestamp() + 2 * $2::float8 * interval '1 millisecond')";
constexpr auto in_ms = "floor(extract(epoch FROM greatest({}, 'epoch'::timestamptz)) * 1000)::bigint";

std::string_view name_of(cluster::node_state s) {
  switch (s) {
    case cluster::node_state::live: return "live";
    case cluster::node_state::draining: return "draining";
    case cluster::node_state::left: return "left";
  }
  return "";
}

cluster::node_state state_of(std::string_view name) {
  return name == "left"       ? cluster::node_state::left
         : name == "draining" ? cluster::node_state::draining
                              : cluster::node_state::live;
}

template <class Range, class Get>
std::string array_of(const Range& range, Get get) {
  std::vector<std::string> parts;
  for (const auto& x : range)
    parts.push_back(fmt::format("{}", get(x)));
  return fmt::format("{{{}}}", fmt::join(parts, ","));
}

std::string slots_of(const std::vector<cluster::held_lease>& leases) {
  return array_of(leases, [](const auto& l) { return l.slot.value; });
}

std::string epochs_of(const std::vector<cluster::held_lease>& leases) {
  return array_of(leases, [](const auto& l) { return l.epoch.value; });
}

/// A text array's own syntax: quoted, with quotes and backslashes escaped.
std::string text_array(const std::vector<std::string>& texts) {
  return array_of(texts, [](const std::string& t) {
    std::string out = "\"";
    for (char c : t) {
      if (c == '"' || c == '\\')
        out.push_back('\\');
      out.push_back(c);
    }
    return out + "\"";
  });
}

std::string text_of(const pqxx::field& f) {
  return f.is_null() ? std::string() : f.as<std::string>();
}

} // namespace

pg_cluster_store::pg_cluster_store(cluster_config config) :
  config_(std::move(config)), db_(config_.url, role::node, "pulse-cluster " + config_.node) {
}

template <class Work>
auto pg_cluster_store::run(std::string_view where, Work&& work) {
  return db_.run(where, [&](pqxx::work& tx) {
    const auto ms = std::to_string(std::max<std::int64_t>(config_.term_ms / 2, 100));
    tx.exec("SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $1, true)", pqxx::params{ms});
    return work(tx);
  });
}

/// In one order everywhere, so that a beat and the leader's word never wait for each other in a circle.
void pg_cluster_store::lock(pqxx::work& tx, const std::string& slots) const {
  tx.exec("SELECT FROM slot_lease WHERE generation = $1 AND slot = ANY ($2::int[]) ORDER BY slot FOR NO KEY UPDATE",
          pqxx::params{config_.generation.value, slots});
}

/// The time is read first: a lease may then be newer than it, and never looks older than it is.
cluster::view pg_cluster_store::read(pqxx::work& tx) const {
  cluster::view v;
  v.now = time_ms{
      tx.exec(fmt::format("SELECT {}", fmt::format(in_ms, "clock_timestamp()"))).one_field().as<std::int64_t>()};
  for (const auto& row :
       tx.exec(fmt::format("SELECT node, incarnation, address, version, array_to_string(roles, ','), "
                           "capacity, load, state, drain_wanted, {}, spilled, CASE WHEN formats_run = "
                           "incarnation THEN formats ELSE 1 END, {} FROM node ORDER BY node",
                           fmt::format(in_ms, "heartbeat_at"), fmt::format(in_ms, "older_until")))) {
    cluster::node_row n;
    n.id = node_id{row[0].as<std::string>()};
    n.incarnation = row[1].as<std::string>();
    n.address = row[2].as<std::string>();
    n.version = row[3].as<std::string>();
    n.roles.clear();
    for (std::string rest = row[4].as<std::string>(); !rest.empty();) {
      const auto comma = std::min(rest.find(','), rest.size());
      n.roles.push_back(rest.substr(0, comma));
      rest.erase(0, comma + 1);
    }
    n.capacity = row[5].as<double>();
    n.load = row[6].as<double>();
    n.state = state_of(row[7].as<std::string>());
    n.drain_wanted = row[8].as<bool>();
    n.heartbeat = time_ms{row[9].as<std::int64_t>()};
    n.spilled = row[10].as<std::int64_t>();
    n.formats = row[11].as<std::int32_t>();
    n.older_until = time_ms{row[12].as<std::int64_t>()};
    v.nodes.push_back(std::move(n));
  }
  for (const auto& row : tx.exec(fmt::format("SELECT slot, node, incarnation, epoch, {}, heading, load, taken_from "
                                             "FROM slot_lease WHERE generation = $1 ORDER BY slot",
                                             fmt::format(in_ms, "expires_at")),
                                 pqxx::params{config_.generation.value}))
    v.leases.push_back({slot_id{row[0].as<int>()}, node_id{text_of(row[1])}, text_of(row[2]),
                        pulse::epoch{row[3].as<std::int64_t>()}, time_ms{row[4].as<std::int64_t>()},
                        node_id{text_of(row[5])}, row[6].as<double>(), text_of(row[7])});
  return v;
}

result<cluster::view> pg_cluster_store::look() {
  return run("looking at the cluster", [&](pqxx::work& tx) { return read(tx); });
}

result<void> pg_cluster_store::join(const cluster::node_row& self, const std::string& previous) {
  return run("joining the cluster", [&](pqxx::work& tx) {
    const auto roles = text_array(self.roles);
    const auto done =
        previous.empty()
            ? tx.exec("INSERT INTO node (node, incarnation, address, version, roles, capacity, formats, formats_run, "
                      "heartbeat_at) VALUES ($1, $2, $3, $4, $5::text[], $6, $7, $2, clock_timestamp()) "
                      "ON CONFLICT DO NOTHING",
                      pqxx::params{self.id.value, self.incarnation, self.address, self.version, roles, self.capacity,
                                   self.formats})
            : tx.exec(
                  "UPDATE node SET incarnation = $2, address = $3, version = $4, roles = $5::text[], capacity = $6, "
                  "load = 0, state = 'live', drain_wanted = false, heartbeat_at = clock_timestamp(), "
                  "older_until = CASE WHEN CASE WHEN formats_run = incarnation THEN formats ELSE 1 END < $7 "
                  "THEN heartbeat_at ELSE older_until END, formats = $7, formats_run = $2 "
                  "WHERE node = $1 AND incarnation = $8",
                  pqxx::params{self.id.value, self.incarnation, self.address, self.version, roles, self.capacity,
                               self.formats, previous});
    if (done.affected_rows() == 0)
      throw refused({ec::conflict, "another run of node " + self.id.value + " has joined meanwhile", ""});
    tx.exec("INSERT INTO slot_lease (generation, slot) SELECT $1::bigint, generate_series(-1, $2::int - 1) ON CONFLICT "
            "DO NOTHING",
            pqxx::params{config_.generation.value, config_.slots});
    // In the order of slots, as everywhere.
    tx.exec("WITH old AS (SELECT generation, slot FROM slot_lease WHERE generation = $1 AND node = $2 AND "
            "incarnation <> $3 ORDER BY slot FOR NO KEY UPDATE) "
            "UPDATE slot_lease l SET taken_from = l.incarnation, node = NULL, incarnation = NULL, "
            "heading = nullif(l.heading, l.node) FROM old WHERE (l.generation, l.slot) = (old.generation, old.slot)",
            pqxx::params{config_.generation.value, self.id.value, self.incarnation});
  });
}

result<cluster::view> pg_cluster_store::beat(const node_run& me, cluster::node_state state, double load,
                                             const std::vector<cluster::held_lease>& leases) {
  return run("renewing leases", [&](pqxx::work& tx) {
    const auto alive = tx.exec("UPDATE node SET heartbeat_at = clock_timestamp(), state = $3, load = $4, spilled = $5 "
                               "WHERE node = $1 AND incarnation = $2",
                               pqxx::params{me.node.value, me.incarnation, std::string(name_of(state)), load,
                                            config_.spilled ? config_.spilled() : 0});
    if (alive.affected_rows() == 0)
      throw refused({ec::fenced, "a newer run of node " + me.node.value + " has joined", ""});
    if (!leases.empty()) {
      lock(tx, slots_of(leases));
      tx.exec(fmt::format("UPDATE slot_lease l SET expires_at = {}, load = u.load "
                          "FROM unnest($5::int[], $6::bigint[], $7::float8[]) AS u(slot, epoch, load) "
                          "WHERE l.generation = $1 AND l.slot = u.slot AND l.epoch = u.epoch AND l.node = $3 "
                          "AND l.incarnation = $4",
                          ends),
              pqxx::params{config_.generation.value, config_.term_ms, me.node.value, me.incarnation, slots_of(leases),
                           epochs_of(leases), array_of(leases, [](const auto& l) { return l.load; })});
    }
    return read(tx);
  });
}

result<std::vector<cluster::held_lease>> pg_cluster_store::take(const node_run& me,
                                                                const std::vector<cluster::held_lease>& leases) {
  return run("taking leases", [&](pqxx::work& tx) {
    lock(tx, slots_of(leases));
    std::vector<cluster::held_lease> taken;
    for (const auto& row : tx.exec(
             fmt::format("UPDATE slot_lease l SET taken_from = coalesce(l.incarnation, l.taken_from), node = $3, "
                         "incarnation = $4, heading = $3, expires_at = {}, epoch = 1 + greatest(l.epoch, coalesce("
                         "(SELECT p.epoch FROM log_position p WHERE p.generation = $1 AND p.slot = l.slot), 0)) "
                         "FROM unnest($5::int[], $6::bigint[], $7::bigint[]) AS u(slot, epoch, silent_end) "
                         "WHERE l.generation = $1 AND l.slot = u.slot AND l.epoch = u.epoch "
                         "AND CASE WHEN l.slot = -1 THEN l.node IS NULL OR {} OR {} = u.silent_end "
                         "ELSE l.node IS NULL AND l.heading = $3 END "
                         "AND EXISTS (SELECT FROM node n WHERE n.node = $3 AND n.incarnation = $4) "
                         "RETURNING l.slot, l.epoch, l.load, l.taken_from",
                         ends, is_out, fmt::format(in_ms, "l.expires_at")),
             pqxx::params{config_.generation.value, config_.term_ms, me.node.value, me.incarnation, slots_of(leases),
                          epochs_of(leases), array_of(leases, [](const auto& l) { return l.silent_end.value; })}))
      taken.push_back(
          {slot_id{row[0].as<int>()}, pulse::epoch{row[1].as<std::int64_t>()}, row[2].as<double>(), text_of(row[3])});
    return taken;
  });
}

result<void> pg_cluster_store::release(const node_run& me, slot_id slot, pulse::epoch epoch) {
  return run("releasing a lease", [&](pqxx::work& tx) {
    tx.exec("UPDATE slot_lease SET node = NULL, incarnation = NULL, taken_from = NULL, heading = nullif(heading, node) "
            "WHERE generation = $1 AND slot = $2 AND node = $3 AND incarnation = $4 AND epoch = $5",
            pqxx::params{config_.generation.value, slot.value, me.node.value, me.incarnation, epoch.value});
  });
}

result<std::int64_t> pg_cluster_store::place(const node_run& me, pulse::epoch leader_epoch,
                                             const std::vector<cluster::assignment>& assignments) {
  auto in_order = assignments;
  std::sort(in_order.begin(), in_order.end(), [](const auto& a, const auto& b) { return a.slot < b.slot; });
  return run("placing slots", [&](pqxx::work& tx) {
    const auto generation = config_.generation.value;
    // Nobody becomes the leader while this is written.
    if (tx.exec("SELECT 1 FROM slot_lease WHERE generation = $1 AND slot = -1 AND node = $2 AND incarnation = $3 "
                "AND epoch = $4 FOR SHARE",
                pqxx::params{generation, me.node.value, me.incarnation, leader_epoch.value})
            .empty())
      throw refused({ec::fenced, "another node leads", ""});
    std::int64_t done = 0;
    for (const auto& a : in_order) {
      const auto changed =
          a.free ? tx.exec(fmt::format("UPDATE slot_lease l SET taken_from = l.incarnation, node = NULL, "
                                       "incarnation = NULL, heading = $5 WHERE l.generation = $1 AND l.slot = $3 "
                                       "AND l.epoch = $4 AND l.node IS NOT NULL AND {} = $6 AND ($7::boolean OR "
                                       "{})",
                                       fmt::format(in_ms, "l.expires_at"), is_out),
                           pqxx::params{generation, config_.term_ms, a.slot.value, a.epoch.value, a.to.value,
                                        a.expires.value, a.silent})
                 : tx.exec("UPDATE slot_lease SET heading = $4 WHERE generation = $1 AND slot = $2 AND epoch = $3",
                           pqxx::params{generation, a.slot.value, a.epoch.value, a.to.value});
      if (changed.affected_rows() == 0)
        continue;
      tx.exec("INSERT INTO move_history (generation, slot, from_node, to_node, leader, leader_epoch, load, reason) "
              "VALUES ($1, $2, nullif($3, ''), $4, $5, $6, $7, $8)",
              pqxx::params{generation, a.slot.value, a.from.value, a.to.value, me.node.value, leader_epoch.value,
                           a.load, a.reason});
      ++done;
    }
    tx.exec("DELETE FROM move_history WHERE at < clock_timestamp() - interval '90 days'");
    return done;
  });
}

result<void> pg_cluster_store::ask_drain(const node_id& node) {
  return run("asking a node to drain", [&](pqxx::work& tx) {
    if (tx.exec("UPDATE node SET drain_wanted = true WHERE node = $1 AND state <> 'left'", pqxx::params{node.value})
            .affected_rows() == 0)
      throw refused({ec::not_found, "there is no node " + node.value + ", or it has left", ""});
  });
}

result<std::vector<past_move>> pg_cluster_store::history(std::int64_t max) {
  return run("reading past moves", [&](pqxx::work& tx) {
    std::vector<past_move> out;
    for (const auto& row :
         tx.exec(fmt::format("SELECT {}, slot, from_node, to_node, leader_epoch, leader, load, reason "
                             "FROM move_history WHERE generation = $1 ORDER BY move_id DESC LIMIT $2",
                             fmt::format(in_ms, "at")),
                 pqxx::params{config_.generation.value, max}))
      out.push_back({time_ms{row[0].as<std::int64_t>()}, slot_id{row[1].as<int>()}, node_id{text_of(row[2])},
                     node_id{row[3].as<std::string>()}, pulse::epoch{row[4].as<std::int64_t>()},
                     node_id{row[5].as<std::string>()}, row[6].as<double>(), row[7].as<std::string>()});
    return out;
  });
}

} // namespace pulse::postgres
