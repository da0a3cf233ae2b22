#include "actors/connector/connector.hpp"

#include <algorithm>
#include <array>
#include <caf/io/all.hpp>
#include <charconv>
#include <fmt/format.h>

#include "telemetry/log.hpp"

namespace pulse {

namespace {

constexpr auto component = "connector";
constexpr auto tick_interval = std::chrono::milliseconds(100);
constexpr std::int64_t look_interval_ms = 500;
constexpr int probe_ms_max = 500;
constexpr auto dial_timeout = std::chrono::seconds(5);
constexpr auto hello_timeout = std::chrono::seconds(2);
constexpr std::int64_t delay_ms_min = 200;
constexpr std::int64_t delay_ms_max = 5000;

std::pair<std::string, std::uint16_t> host_and_port(const std::string& address) {
  const auto colon = address.rfind(':');
  std::uint16_t port = 0;
  if (colon == std::string::npos)
    return {address, 0};
  std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
  return {address.substr(0, colon), port};
}

} // namespace

connector_state::connector_state(connector_actor::pointer p, connector_config c, node_root_actor a) :
  self(p), config(std::move(c)), agent(std::move(a)) {
  self->set_down_handler([this](const caf::down_msg& down) {
    for (auto& [node, l] : links)
      if (l.to && l.to.address() == down.source) {
        log::info("link_lost", component, fmt::format("{} ({}): {}", node, l.run, caf::to_string(down.reason)));
        unlink(node, l);
      }
  });
}

void connector_state::unlink(const std::string& node, link& l) {
  l.to = nullptr;
  l.retry_at = 0;
  l.delay_ms = 0;
  self->send(agent, peer_atom_v, node, caf::strong_actor_ptr(), std::int32_t{0});
}

/// Who is there: links to runs that are gone are let go.
void connector_state::see(const cluster::view& view) {
  for (const auto& n : view.nodes) {
    if (n.id.value == config.node || n.state == cluster::node_state::left || n.address.empty())
      continue;
    auto& l = links[n.id.value];
    if (l.run == n.incarnation && l.address == n.address)
      continue;
    if (l.to && l.run != n.incarnation)
      unlink(n.id.value, l);
    l.run = n.incarnation;
    l.address = n.address;
    l.retry_at = l.delay_ms = 0;
  }
  std::erase_if(links, [&](const auto& l) {
    return !l.second.to && std::none_of(view.nodes.begin(), view.nodes.end(), [&](const auto& n) {
      return n.id.value == l.first && n.state != cluster::node_state::left;
    });
  });
}

void connector_state::dial(const std::string& node, link& l) {
  l.dialing = true;
  const auto [host, port] = host_and_port(l.address);
  if (const auto there = probe(host, port, probe_ms_max); !there) {
    failed(node, l.run, there.err().detail);
    return;
  }
  self->request(config.dialer, dial_timeout, caf::connect_atom_v, host, port)
      .then(
          [this, node, run = l.run](const caf::node_id&, const caf::strong_actor_ptr& found,
                                    const std::set<std::string>& speaks) {
            const auto& system = self->system();
            if (!found || !system.assignable(speaks, system.message_types<last_peer_actor>()))
              failed(node, run, "what answers there is no node that this version can speak with");
            else
              hello(node, run, found,
                    system.assignable(speaks, system.message_types<peer_actor>()) ? config.wire : wire_version - 1);
          },
          [this, node, run = l.run](const caf::error& e) { failed(node, run, caf::to_string(e)); });
}

/// A connection alone says nothing: whoever answers is there.
void connector_state::hello(const std::string& node, const std::string& run, const caf::strong_actor_ptr& found,
                            std::int32_t wire) {
  const auto answered = [this, node, run, found, wire](const std::string& answer) {
    if (answer == run)
      linked(node, run, found, wire);
    else
      failed(node, run, "another run answers: " + answer);
  };
  const auto not_answered = [this, node, run](const caf::error& e) {
    failed(node, run, "no answer to hello: " + caf::to_string(e));
  };
  self->request(caf::actor_cast<last_peer_actor>(found), hello_timeout, hello_atom_v, config.node, config.run, own_peer,
                wire)
      .then(answered, not_answered);
}

void connector_state::linked(const std::string& node, const std::string& run, const caf::strong_actor_ptr& to,
                             std::int32_t wire) {
  auto& l = links[node];
  l.dialing = false;
  if (!l.run.empty() && l.run != run)
    return;
  const auto handle = caf::actor_cast<last_peer_actor>(to);
  if (l.to == handle)
    return;
  l.run = run;
  l.to = handle;
  l.delay_ms = 0;
  self->monitor(handle);
  log::info("linked", component, fmt::format("{} ({}), wire version {}", node, run, wire));
  self->send(agent, peer_atom_v, node, to, wire);
}

void connector_state::failed(const std::string& node, const std::string& run, const std::string& why) {
  const auto it = links.find(node);
  if (it == links.end())
    return;
  auto& l = it->second;
  l.dialing = false;
  // Told once a second at most, as the delay grows.
  if (l.run == run)
    log::warning("link_failed", component, fmt::format("{} at {}: {}", node, l.address, why));
  l.delay_ms = std::clamp(l.delay_ms * 2, delay_ms_min, delay_ms_max);
  std::array<std::uint8_t, 1> chance{};
  config.random.fill(chance);
  l.retry_at = config.time.monotonic_ms() + l.delay_ms / 2 + l.delay_ms * chance[0] / 256;
}

void connector_state::tick() {
  const auto now = config.time.monotonic_ms();
  if (now - looked_at >= look_interval_ms) {
    looked_at = now;
    self->request(agent, hello_timeout, view_atom_v)
        .then([this](const cluster_view_ptr& view) { see(*view); },
              [](const caf::error&) {
                // Asked again in a moment.
              });
  }
  if (!own_peer)
    return;
  for (auto& [node, l] : links)
    if (config.node < node && !l.to && !l.dialing && !l.address.empty() && now >= l.retry_at)
      dial(node, l);
}

connector_actor::behavior_type connector_state::make_behavior() {
  self->delayed_send(connector_actor(self), tick_interval, tick_atom_v);
  return {
      [this](join_atom, const caf::strong_actor_ptr& own) { own_peer = own; },
      [this](hello_atom, const std::string& node, const std::string& run, const caf::strong_actor_ptr& from,
             std::int32_t wire) {
        // A newer run may come before its row was seen.
        if (auto& l = links[node]; l.run != run) {
          if (l.to)
            unlink(node, l);
          l.run = run;
        }
        linked(node, run, from, std::min(wire, config.wire));
      },
      [this](tick_atom) {
        tick();
        self->delayed_send(connector_actor(self), tick_interval, tick_atom_v);
      },
  };
}

} // namespace pulse
