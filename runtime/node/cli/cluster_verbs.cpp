// cluster: who is there, who owns what, who is to go
#include <chrono>
#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <memory>
#include <thread>
#include <unistd.h>

#include "node/certificates.hpp"
#include "node/cli/cluster_verbs.hpp"
#include "node/cli/verbs.hpp"

namespace pulse::cli {

namespace {

constexpr auto drain_wait_max = std::chrono::seconds(60);
constexpr auto poll_interval = std::chrono::milliseconds(200);

struct cluster_options : common_options {
  std::string node;
  bool no_wait = false;
  bool dry_run = false;
  std::int64_t limit = 100;
};

json node_of(const json& nodes, const std::string& id) {
  for (const auto& n : nodes.at("data"))
    if (n.at("id") == id)
      return n;
  return nullptr;
}

void print_runs(const json& n) {
  const auto it = n.find("runs");
  if (it == n.end() || it->is_null()) {
    fmt::print("{:<16} does not say what runs there\n", "");
    return;
  }
  const auto alone = it->value("ingestion_alone", 0);
  fmt::print("{:<16} {} tenants at its gateway ({} owned by other nodes{}), {} supervisors, {} links\n", "",
             it->value("ingestion", 0), it->value("ingestion_of_others", 0),
             alone > 0 ? fmt::format(", {} without an owner in reach", alone) : "", it->value("supervisors", 0),
             it->value("links", 0));
}

void print_status(const json& nodes) {
  for (const auto& n : nodes.at("data")) {
    fmt::print("{:<16} {:<9} {:<7} {:<22} {:<8} {:>3} slots  {:>8.1f} events/s  seen {} ms ago\n", text_of(n, "id"),
               text_of(n, "state"), n.value("leads", false) ? "leader" : "", text_of(n, "address"),
               text_of(n, "version"), n.contains("slots") ? n["slots"].size() : 0, n.value("load", 0.0),
               text_of(n, "heartbeat_age_ms"));
    if (nodes.contains("slots") && text_of(n, "state") != "left")
      print_runs(n);
    if (const auto spilled = n.value("spilled", std::int64_t{0}); spilled > 0)
      fmt::print("{:<16} {} events wait on its disk for Kafka; they follow while it runs\n", "", spilled);
  }
  if (nodes.contains("slots"))
    fmt::print("{} slots: {} without an owner, {} on their way\n", text_of(nodes, "slots"),
               text_of(nodes, "slots_unowned"), text_of(nodes, "slots_moving"));
  else
    fmt::print("a node alone, with its embedded log\n");
}

void print_moves(const json& moves) {
  for (const auto& m : moves.at("data"))
    fmt::print("{}slot {:>4}  {:<16} -> {:<16} {}\n", m.contains("at") ? text_of(m, "at") + "  " : "",
               text_of(m, "slot"), text_of(m, "from"), text_of(m, "to"), text_of(m, "reason"));
  if (moves.at("data").empty())
    fmt::print("{}\n", moves.value("dry_run", false) ? "nothing to move" : "nothing was moved yet");
}

/// The node that answers may be the one that goes: then it does not answer any more.
json wait_until_left(const cluster_options& o, const std::string& id) {
  const auto node = client::for_data_dir(o.data_dir);
  const auto end = std::chrono::steady_clock::now() + drain_wait_max;
  json seen = nullptr;
  while (node) {
    const auto nodes = node->call("GET", "/admin/v1/nodes");
    if (!nodes && !seen.is_null() && seen.at("self") == id)
      return {{"id", id}, {"state", "left"}};
    if (nodes) {
      seen = *nodes;
      const auto found = node_of(seen, id);
      if (found.is_null() || found.at("state") == "left")
        return {{"id", id}, {"state", "left"}};
      if (isatty(STDERR_FILENO) != 0)
        fmt::print(stderr, "\r  {} has {} slots  ", id, found.at("slots").size());
    }
    if (std::chrono::steady_clock::now() > end)
      fail({ec::timeout,
            fmt::format("{} has not left within {} s; see pulse cluster status", id, drain_wait_max.count()), ""});
    std::this_thread::sleep_for(poll_interval);
  }
  fail(node.err());
}

void drain(const cluster_options& o, const std::string& id) {
  const auto asked = ask(o, "POST", "/admin/v1/nodes/" + id + "/drain");
  const auto done = o.no_wait ? asked : wait_until_left(o, id);
  show(o, done, [&] { fmt::print("{}: {}\n", id, text_of(done, "state")); });
}

struct certificate_options {
  std::string dir = default_data_dir() + "/tls";
  std::string name;
  std::vector<std::string> hosts;
  bool as_json = false;
};

/// Both work on files alone.
void add_certificates(CLI::App& group) {
  auto a = std::make_shared<certificate_options>();
  auto* ca = group.add_subcommand("ca", "make the cluster's own authority, once");
  ca->add_option("--dir", a->dir, "where ca.pem and ca.key are written; the key stays there");
  ca->add_flag("--json", a->as_json, "one JSON document on standard output");
  ca->footer("example: pulse cluster ca --dir tls");
  ca->callback([a] {
    if (auto ok = make_authority(a->dir); !ok)
      fail(ok.err());
    if (a->as_json)
      fmt::print("{}\n", json{{"ca", a->dir + "/ca.pem"}, {"key", a->dir + "/ca.key"}}.dump());
    else
      fmt::print("{0}/ca.pem, {0}/ca.key\n  next: pulse cluster cert NODE --dir {0} --host ADDRESS, for each node\n",
                 a->dir);
  });
  auto c = std::make_shared<certificate_options>();
  auto* cert = group.add_subcommand("cert", "make a node's certificate by the cluster's authority");
  cert->add_option("node", c->name, "its name; NODE.pem and NODE.key are written")->required();
  cert->add_option("--dir", c->dir, "where ca.pem and ca.key are");
  cert->add_option("--host", c->hosts, "its addresses or host names");
  cert->add_flag("--json", c->as_json, "one JSON document on standard output");
  cert->footer("example: pulse cluster cert node-2 --dir tls --host 10.0.0.12");
  cert->callback([c] {
    if (auto ok = make_certificate(c->dir, c->name, c->hosts); !ok)
      fail(ok.err());
    const auto stem = c->dir + "/" + c->name;
    if (c->as_json)
      fmt::print("{}\n", json{{"ca", c->dir + "/ca.pem"}, {"cert", stem + ".pem"}, {"key", stem + ".key"}}.dump());
    else
      fmt::print("{0}.pem, {0}.key\n  next: on the node set PULSE_NODE_CA, PULSE_NODE_CERT and PULSE_NODE_KEY\n", stem);
  });
}

} // namespace

void add_cluster_verbs(CLI::App& program) {
  auto* group = program.add_subcommand("cluster", "nodes that share the slots: who is there, who owns what");
  group->require_subcommand(1);
  add_certificates(*group);
  auto s = std::make_shared<cluster_options>();
  auto* status = group->add_subcommand("status", "nodes, their slots and load");
  status->footer("example: pulse cluster status");
  add_common(*status, *s);
  status->callback([s] {
    const auto nodes = ask(*s, "GET", "/admin/v1/nodes");
    show(*s, nodes, [&] { print_status(nodes); });
  });
  auto d = std::make_shared<cluster_options>();
  auto* drain_verb = group->add_subcommand("drain", "move a node's slots to the others, then it ends");
  drain_verb->add_option("node", d->node, "its id, as in pulse cluster status")->required();
  drain_verb->add_flag("--no-wait", d->no_wait, "return when it was asked, not when it has left");
  drain_verb->footer("example: pulse cluster drain node-2");
  add_common(*drain_verb, *d);
  drain_verb->callback([d] { drain(*d, d->node); });
  auto l = std::make_shared<cluster_options>();
  auto* leave = group->add_subcommand("leave", "the same for the node of this data directory");
  leave->add_flag("--no-wait", l->no_wait, "return when it was asked, not when it has left");
  leave->footer("example: pulse cluster leave --data-dir /var/lib/pulse");
  add_common(*leave, *l);
  leave->callback([l] { drain(*l, ask(*l, "GET", "/admin/v1/nodes").at("self").get<std::string>()); });
  auto m = std::make_shared<cluster_options>();
  auto* moves = group->add_subcommand("moves", "why slots were moved, newest first");
  moves->add_flag("--dry-run", m->dry_run, "what would be moved now, and why");
  moves->add_option("--limit", m->limit, "how many")->check(CLI::Range(1, 1000));
  moves->footer("example: pulse cluster moves --dry-run");
  add_common(*moves, *m);
  moves->callback([m] {
    const auto found =
        ask(*m, "GET", m->dry_run ? "/admin/v1/moves?dry_run=true" : fmt::format("/admin/v1/moves?limit={}", m->limit));
    show(*m, found, [&] { print_moves(found); });
  });
}

} // namespace pulse::cli
