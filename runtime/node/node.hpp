// The composition of a node: the one place that knows every adapter by name. Builds it from the settings, serves, and
// takes it down in order.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "postgres/log_migration.hpp"
#include "postgres/rebuild.hpp"
#include "settings/settings.hpp"

namespace pulse {

/// What `pulse migrate log` came to.
struct log_move {
  postgres::log_migrated done;
  /// By an earlier run: this one changed nothing.
  bool earlier = false;
};

class node {
public:
  /// Opens the log, migrates the database, starts actors and listeners. The error says what to do.
  static result<std::unique_ptr<node>> start(const loaded_settings& from);

  /// Reads the whole log into a database without event data, and ends: no listener, nothing is told or trained.
  /// `progress`: records read, and records there are; about five times a second. What was read and stored.
  static result<postgres::rebuilt_counts> rebuild(const loaded_settings& from,
                                                  const std::function<void(std::int64_t, std::int64_t)>& progress);

  /// Leaves the embedded log for a new generation on Kafka: every tenant's state goes with it. No node may serve. What
  /// is not stored yet is refused with `conflict` (by slot, and what to do), or stored first with `may_drain`. Again,
  /// it says what was done before. `progress`: a line for people, several times a second.
  static result<log_move> migrate_log(const loaded_settings& from, bool may_drain,
                                      const std::function<void(const std::string&)>& progress);

  ~node();

  /// `ready http=… admin=…`, in a cluster with ` node=…` behind it.
  std::string ready_line() const;

  /// Blocks until SIGTERM, SIGINT or a fatal fault; 0 after a signal, 1 after a fault. Signals must be blocked in all
  /// threads before start (see block_signals).
  int wait();

  /// Stops taking requests, finishes what is under way within the drain limit, images the tenants' state.
  void drain();

private:
  struct parts;

  explicit node(std::unique_ptr<parts> p);
  static result<std::unique_ptr<parts>> begin(const loaded_settings& from);
  static result<void> read_again(parts& p, std::int64_t all,
                                 const std::function<void(std::int64_t, std::int64_t)>& progress);
  static result<void> drain_log(const loaded_settings& local, const std::function<void(const std::string&)>& progress);
  static result<log_move> move_log(const loaded_settings& local, const settings& target, bool may_drain,
                                   const std::function<void(const std::string&)>& progress);

  std::unique_ptr<parts> parts_;
};

/// SIGTERM and SIGINT are taken by node::wait alone; SIGPIPE is ignored.
void block_signals();

} // namespace pulse
