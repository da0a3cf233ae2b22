// The composition of a node: the one place that knows every adapter by name. Builds it from the settings, serves, and
// takes it down in order.
#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "settings/settings.hpp"

namespace pulse {

class node {
public:
  /// Opens the log, migrates the database, starts actors and listeners. The error says what to do.
  static result<std::unique_ptr<node>> start(const loaded_settings& from);

  ~node();

  /// `ready http=… admin=…`.
  std::string ready_line() const;

  /// Blocks until SIGTERM, SIGINT or a fatal fault; 0 after a signal, 1 after a fault. Signals must be blocked in all
  /// threads before start (see block_signals).
  int wait();

  /// Stops taking requests, finishes what is under way within the drain limit, images the tenants' state.
  void drain();

private:
  struct parts;

  explicit node(std::unique_ptr<parts> p);

  std::unique_ptr<parts> parts_;
};

/// SIGTERM and SIGINT are taken by node::wait alone; SIGPIPE is ignored.
void block_signals();

} // namespace pulse
