// What a running node consists of. Internal to runtime/node.
#pragma once

#include <atomic>
#include <caf/all.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "actors/node_agent/node_agent.hpp"
#include "base/worker_pool.hpp"
#include "delivery/webhook_sender.hpp"
#include "http/admin/admin_server.hpp"
#include "http/server/server.hpp"
#include "node/cluster_part.hpp"
#include "node/files.hpp"
#include "node/node.hpp"
#include "postgres/key_directory.hpp"
#include "spill/spill.hpp"
#include "telemetry/metrics.hpp"

namespace pulse {

// Members are destroyed from the last to the first: what others use stands above.
struct node::parts {
  settings conf;
  std::string name;
  /// Only where the log is shared.
  std::optional<node_names> names;
  directory_lock lock;
  pulse::metrics metrics;
  /// Takes the log's last answers. Null where nothing is spilled.
  std::unique_ptr<spill> spilled;
  std::unique_ptr<event_log> log;
  std::function<void(pulse::metrics&)> show_log;
  std::unique_ptr<delivery::webhook_sender> sender;
  std::unique_ptr<caf::actor_system_config> actor_config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<postgres::pg_key_directory> keys;
  std::unique_ptr<worker_pool> key_workers;
  std::unique_ptr<worker_pool> workers;
  std::shared_ptr<http::key_gate> gate;
  context_ptr context;
  node_root_actor agent;
  std::unique_ptr<http::admin_server> admin;
  std::unique_ptr<http::server> gateway;
  std::uint16_t http_port = 0;
  std::uint16_t admin_port = 0;
  /// Where other nodes reach this one; empty on a node alone.
  std::string node_address;
  std::atomic<bool> draining{false};
  std::atomic<bool> ending{false};
  /// The log is read again, for nobody to be told.
  bool rebuilding = false;
  /// Tenants whose stored state is behind are woken, however little it is.
  bool imaging_all = false;
  /// Does what one node of the cluster does for all.
  std::atomic<bool> leading{true};
  std::mutex maintenance_mutex;
  std::condition_variable maintenance_wake;
  std::thread maintenance;

  explicit parts(directory_lock l) : lock(std::move(l)) {
  }

  ~parts();
  result<void> open_stores();
  result<void> open_spilled();
  result<void> check_log();
  result<void> start_actors();
  result<void> start_listeners();
  result<void> join();
  /// Every slot held here; an error when one of them stopped, or the node does not answer. Any thread; may block.
  result<statuses_ptr> slots();
  void maintain();
  /// Until everything spilled is in the log, or this is in vain. Says what stays.
  void end_spill(std::int64_t within_ms);
};

} // namespace pulse
