// The supervisor's ingestion children: one on each node whose gateway sees the tenant.
#include <fmt/format.h>

#include "actors/tenant_supervisor/tenant_supervisor.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// Of a node that does not answer the link soon says more.
constexpr auto host_timeout = std::chrono::seconds(2);
constexpr std::size_t attends_max = 1000;

} // namespace

ingestion_settings tenant_supervisor_state::limits() const {
  return limits_of(settings->value(), limits_version);
}

/// Asked again whenever the node is not sure whose child it has.
caf::result<void> tenant_supervisor_state::attend(const std::string& node, const child_host_actor& host, epoch owner) {
  active_at_ms = context->time.monotonic_ms();
  auto promise = self->make_response_promise<void>();
  auto& post = posts[node];
  post.host = host;
  post.owner = owner;
  if (post.attends.size() >= attends_max) {
    promise.deliver(caf::make_error(caf::sec::runtime_error, "too many ask for the tenant's ingestion"));
    return promise;
  }
  post.attends.push_back(promise);
  if (settings && *settings)
    order(node);
  else
    ask_settings();
  return promise;
}

void tenant_supervisor_state::order(const std::string& node) {
  auto& post = posts[node];
  if (post.asking || !post.restart.may_start(context->time.monotonic_ms()))
    return;
  post.asking = true;
  self->request(post.host, host_timeout, host_atom_v, ingestion_order{limits(), post.owner})
      .then([this, node](const ingestion_actor& child) { ordered(node, child); },
            [this, node](const caf::error& e) { not_ordered(node, e); });
}

void tenant_supervisor_state::ordered(const std::string& node, const ingestion_actor& child) {
  const auto it = posts.find(node);
  if (it == posts.end())
    return;
  auto& post = it->second;
  post.asking = false;
  if (post.child != child) {
    if (post.child)
      self->demonitor(post.child);
    self->monitor(child);
    post.child = child;
  }
  for (auto& promise : std::exchange(post.attends, {}))
    promise.deliver();
  // What changed while it was made.
  hand_limits(node);
}

/// The node asks again when it still has requests for the tenant.
void tenant_supervisor_state::not_ordered(const std::string& node, const caf::error& why) {
  const auto it = posts.find(node);
  if (it == posts.end())
    return;
  log::warning("child_not_made", "tenant_supervisor", fmt::format("ingestion on {}: {}", node, caf::to_string(why)),
               {tenant, {}, ""});
  for (auto& promise : std::exchange(it->second.attends, {}))
    promise.deliver(why);
  part(node);
}

/// Each change goes to every child until it answers with its version.
void tenant_supervisor_state::hand_limits(const std::string& node) {
  auto& post = posts[node];
  if (!post.child || post.version == limits_version)
    return;
  self->request(post.child, host_timeout, settings_atom_v, limits())
      .then(
          [this, node](std::int64_t version) {
            if (const auto it = posts.find(node); it != posts.end())
              it->second.version = version;
          },
          [this, node](const caf::error& e) {
            log::warning("limits_not_taken", "tenant_supervisor",
                         fmt::format("ingestion on {}: {}; sent again in a second", node, caf::to_string(e)),
                         {tenant, {}, ""});
          });
}

void tenant_supervisor_state::part(const std::string& node) {
  const auto it = posts.find(node);
  if (it == posts.end())
    return;
  if (it->second.child)
    self->demonitor(it->second.child);
  for (auto& promise : std::exchange(it->second.attends, {}))
    promise.deliver(caf::make_error(caf::sec::request_receiver_down, "the tenant has another supervisor"));
  posts.erase(it);
}

/// One that was stopped by its node, or with it, is not missed: the node asks when the tenant sends again.
bool tenant_supervisor_state::post_down(const caf::down_msg& down) {
  for (auto& [where, post] : posts) {
    if (!post.child || post.child.address() != down.source)
      continue;
    const auto node = where;
    post.child = nullptr;
    if (!down.reason || down.reason == caf::exit_reason::user_shutdown ||
        down.reason == caf::exit_reason::remote_link_unreachable) {
      part(node);
      return true;
    }
    const auto wait = post.restart.died(context->time.monotonic_ms());
    context->metrics.alarm("ingestion_restarted");
    log::error("child_died", "tenant_supervisor",
               fmt::format("ingestion{}{}: {}; restarted in {} ms", node.empty() ? "" : " on ", node,
                           caf::to_string(down.reason), wait),
               {tenant, {}, ""});
    self->run_delayed(std::chrono::milliseconds(wait), [this, node] {
      if (const auto it = posts.find(node); it != posts.end() && !it->second.child)
        order(node);
    });
    return true;
  }
  return false;
}

} // namespace pulse
