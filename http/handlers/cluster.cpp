#include "http/handlers/cluster.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/time.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t moves_max = 1000;
constexpr std::int64_t moves_default = 100;

/// As people want to know it: a node that says nothing for a term is silent, whatever it last said.
std::string_view state_of(const cluster::node_row& n, time_ms now, std::int64_t term_ms) {
  if (n.state == cluster::node_state::left)
    return "left";
  if (now.value - n.heartbeat.value > term_ms)
    return "silent";
  return n.state == cluster::node_state::draining || n.drain_wanted ? "draining" : "live";
}

json to_json(const cluster::node_row& n, const cluster::view& v, std::int64_t term_ms) {
  auto slots = json::array();
  bool leads = false;
  for (const auto& l : v.leases) {
    if (l.holder != n.id || l.incarnation != n.incarnation)
      continue;
    if (l.slot == cluster::leader_slot)
      leads = !cluster::is_out(l, v.now, term_ms);
    else
      slots.push_back(l.slot.value);
  }
  return {{"id", n.id.value},     {"run", n.incarnation},
          {"address", n.address}, {"version", n.version},
          {"roles", n.roles},     {"state", state_of(n, v.now, term_ms)},
          {"leads", leads},       {"capacity", n.capacity},
          {"load", n.load},       {"heartbeat_age_ms", v.now.value - n.heartbeat.value},
          {"spilled", n.spilled}, {"slots", std::move(slots)}};
}

json to_json(const cluster::census& c) {
  return {{"links", c.links},
          {"supervisors", c.supervisors},
          {"ingestion", c.ingestion},
          {"ingestion_of_others", c.ingestion_of_others},
          {"ingestion_alone", c.ingestion_alone}};
}

json nodes_answer(const cluster_ports& p, const cluster::view& v) {
  const auto said = p.look_around ? p.look_around() : std::vector<cluster::census>();
  auto data = json::array();
  for (const auto& n : v.nodes) {
    auto one = to_json(n, v, p.term_ms);
    const auto it = std::find_if(said.begin(), said.end(), [&](const auto& c) { return c.node == n.id; });
    one["runs"] = it == said.end() ? json(nullptr) : to_json(*it);
    data.push_back(std::move(one));
  }
  std::size_t unowned = 0;
  std::size_t moving = 0;
  for (const auto& l : v.leases) {
    if (l.slot == cluster::leader_slot)
      continue;
    unowned += cluster::is_free(l) || cluster::is_out(l, v.now, p.term_ms) ? 1 : 0;
    moving += !l.heading.value.empty() && l.heading != l.holder ? 1 : 0;
  }
  return {{"data", std::move(data)},  {"self", p.self.value},
          {"term_ms", p.term_ms},     {"slots", v.leases.empty() ? 0 : v.leases.size() - 1},
          {"slots_unowned", unowned}, {"slots_moving", moving}};
}

/// A node alone: no rows say anything about it.
json alone_answer(const cluster_ports& p) {
  const json self = {{"id", p.self.value}, {"run", p.run}, {"version", p.version}, {"state", "live"}, {"leads", true}};
  return {{"data", json::array({self})}, {"self", p.self.value}};
}

json to_json(const past_move& m) {
  return {{"at", format_time(m.at)},
          {"slot", m.slot.value},
          {"from", m.from.value.empty() ? json(nullptr) : json(m.from.value)},
          {"to", m.to.value},
          {"load", m.load},
          {"reason", m.reason},
          {"leader", m.leader.value},
          {"leader_epoch", m.leader_epoch.value}};
}

json to_json(const cluster::assignment& a) {
  return {{"slot", a.slot.value},
          {"from", a.from.value.empty() ? json(nullptr) : json(a.from.value)},
          {"to", a.to.value},
          {"load", a.load},
          {"reason", a.reason}};
}

/// What a leader that knows all silent nodes to be dead would do now. What was taken from a dead node rests here as
/// well.
response moves_planned(cluster_store& store, const cluster_ports& p) {
  const auto view = store.look();
  if (!view)
    return response::problem(view.err());
  const auto moved = store.history(moves_max);
  if (!moved)
    return response::problem(moved.err());
  std::set<slot_id> resting;
  for (const auto& m : *moved)
    if (!m.from.value.empty() && m.from != m.to && view->now.value - m.at.value < p.placement.rest_ms)
      resting.insert(m.slot);
  auto data = json::array();
  for (const auto& a : cluster::assign(*view, true, p.term_ms, p.placement, resting))
    data.push_back(to_json(a));
  return response::json(200, json{{"data", std::move(data)}, {"dry_run", true}}.dump());
}

response moves_made(cluster_store& store, std::int64_t max) {
  const auto found = store.history(max);
  if (!found)
    return response::problem(found.err());
  auto data = json::array();
  for (const auto& m : *found)
    data.push_back(to_json(m));
  return response::json(200, json{{"data", std::move(data)}, {"dry_run", false}}.dump());
}

void list_moves(const cluster_ports& p, const request& in, responder answer) {
  if (!p.stores)
    return answer(response::json(200, json{{"data", json::array()}, {"dry_run", false}}.dump()));
  const auto limit = in.query_value("limit").value_or("");
  std::int64_t max = moves_default;
  if (!limit.empty()) {
    max = 0;
    for (char c : limit)
      max = c < '0' || c > '9' || max > moves_max ? moves_max + 1 : max * 10 + (c - '0');
    if (max < 1 || max > moves_max)
      return answer(response::problem(422, "invalid", "limit: a whole number from 1 to 1000"));
  }
  const bool planned = in.query_value("dry_run").value_or("") == "true";
  p.stores->run(std::move(answer),
                [p, planned, max](auto& store) { return planned ? moves_planned(store, p) : moves_made(store, max); });
}

void drain_node(const cluster_ports& p, const request& in, responder answer) {
  if (!p.stores)
    return answer(response::problem(409, "alone", "this node is alone with its embedded log; end it with SIGTERM"));
  const node_id id{std::string(in.param("node"))};
  p.stores->run(std::move(answer), [id](auto& store) {
    if (const auto asked = store.ask_drain(id); !asked)
      return response::problem(asked.err());
    return response::json(202, json{{"id", id.value}, {"state", "draining"}}.dump());
  });
}

route make(std::string method, std::string pattern, std::function<void(request, responder)> handle) {
  route r;
  r.method = std::move(method);
  r.pattern = std::move(pattern);
  r.needed = scope::admin;
  r.handle = std::move(handle);
  return r;
}

} // namespace

std::vector<route> cluster_routes(const cluster_ports& p) {
  std::vector<route> out;
  out.push_back(make("GET", "/admin/v1/nodes", [p](const request&, responder answer) {
    if (!p.stores)
      return answer(response::json(200, alone_answer(p).dump()));
    p.stores->run(std::move(answer), [p](auto& store) {
      const auto view = store.look();
      return view ? response::json(200, nodes_answer(p, *view).dump()) : response::problem(view.err());
    });
  }));
  out.push_back(make("POST", "/admin/v1/nodes/{node}/drain",
                     [p](request in, responder answer) { drain_node(p, in, std::move(answer)); }));
  out.push_back(
      make("GET", "/admin/v1/moves", [p](request in, responder answer) { list_moves(p, in, std::move(answer)); }));
  return out;
}

} // namespace pulse::http
