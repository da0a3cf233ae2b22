// What every whole node in a test stands on: fakes of its stores, clients, waiting.
#pragma once

#include <atomic>
#include <chrono>
#include <fmt/format.h>
#include <future>
#include <memory>
#include <thread>

#include "actors/context.hpp"
#include "actors/interfaces.hpp"
#include "models/slot/shared_data.hpp"
#include "tests/support/fake_stores.hpp"

namespace pulse::test {

using namespace std::chrono_literals;

/// Waiting is polling with a deadline.
template <class Check>
bool eventually(Check check, std::chrono::seconds limit = 60s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!check()) {
    if (std::chrono::steady_clock::now() > end)
      return false;
    std::this_thread::yield();
  }
  return true;
}

/// A node's ports over this log and database; `died`: a core actor of it ended. All outlive the node.
inline std::shared_ptr<actor_context> node_context(event_log& log, metrics& numbers,
                                                   const std::shared_ptr<fake_database>& db, std::atomic<bool>& died,
                                                   int store_workers, bool taps) {
  auto c = std::make_shared<actor_context>(actor_context{log,
                                                         numbers,
                                                         system_clock(),
                                                         system_random(),
                                                         nullptr,
                                                         {},
                                                         {},
                                                         {},
                                                         {},
                                                         730 * day_ms,
                                                         300'000,
                                                         store_workers,
                                                         {},
                                                         nullptr,
                                                         {},
                                                         {},
                                                         taps});
  c->shared = std::make_shared<const slot::shared_data>(enrichment_data{}, nullptr);
  c->make_slot_store = [db] {
    return std::make_unique<fake_slot_store>(db);
  };
  c->make_control_store = [db] {
    return std::make_unique<fake_control_store>(db);
  };
  c->slot_config.read_interval_ms = 1;
  c->fatal = [&died](const std::string&) {
    died = true;
  };
  return c;
}

/// Whether the event was acknowledged within five seconds; what was dropped with its actor counts as not answered.
template <class Agent>
bool send_event(const Agent& agent, int tenant, const std::string& id) {
  auto answered = std::make_shared<std::promise<bool>>();
  auto done = answered->get_future();
  auto request = std::make_shared<ingest_request>();
  request->tenant = tenant_id{tenant};
  request->body = fmt::format(R"([{{"type":"track","event":"A","userId":"u","messageId":"{}","timestamp":"{}"}}])", id,
                              format_time(system_clock().now()));
  auto once = std::make_shared<std::atomic<bool>>(false);
  request->done = [answered, once](const ingest_reply& r) {
    if (!once->exchange(true))
      answered->set_value(!r.failed.has_value());
  };
  caf::anon_send(agent, ingest_atom_v, std::move(request));
  return done.wait_for(5s) == std::future_status::ready && done.get();
}

} // namespace pulse::test
