// What an actor's test stands on: CAF's test coordinator (no thread, no sleep), a fixed time, the fake log.
#pragma once

#include <caf/scheduler/test_coordinator.hpp>
#include <optional>

#include "actors/cluster_interfaces.hpp"
#include "actors/context.hpp"
#include "tests/support/fake_event_log.hpp"

namespace pulse::test {

class manual_clock final : public clock {
public:
  time_ms now() const override {
    return {1'790'000'000'000 + passed_ms};
  }

  std::int64_t monotonic_ms() const override {
    return 1000 + passed_ms;
  }

  std::int64_t passed_ms = 0;
};

struct actor_fixture {
  actor_fixture() {
    static const bool once = [] {
      caf::core::init_global_meta_objects();
      caf::init_global_meta_objects<caf::id_block::pulse>();
      caf::init_global_meta_objects<caf::id_block::pulse_handles>();
      caf::init_global_meta_objects<caf::id_block::pulse_cluster>();
      caf::init_global_meta_objects<caf::id_block::pulse_lend>();
      return true;
    }();
    (void)once;
    config.set("caf.scheduler.policy", "testing");
    system.emplace(config);
    ports = std::make_shared<actor_context>(actor_context{log,
                                                          numbers,
                                                          time,
                                                          system_random(),
                                                          nullptr,
                                                          {},
                                                          {},
                                                          {},
                                                          {},
                                                          730 * day_ms,
                                                          300'000,
                                                          1,
                                                          {},
                                                          nullptr,
                                                          {},
                                                          {},
                                                          false});
    context = ports;
  }

  ~actor_fixture() {
    for (const auto& one : actors)
      caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
    actors.clear();
    run();
  }

  caf::scheduler::test_coordinator& scheduler() {
    return static_cast<caf::scheduler::test_coordinator&>(system->scheduler());
  }

  void run() {
    scheduler().run();
  }

  /// Time goes on, for the clock and for what CAF sends later. Run-until-idle would never end: actors re-arm their
  /// ticks.
  void run_for(std::chrono::milliseconds time_span) {
    for (auto left = time_span; left.count() > 0; left -= std::chrono::milliseconds(50)) {
      time.passed_ms += 50;
      scheduler().advance_time(std::chrono::milliseconds(50));
      run();
    }
  }

  /// Ended with the fixture.
  template <class Handle>
  Handle own(Handle handle) {
    actors.push_back(caf::actor_cast<caf::actor>(handle));
    run();
    return handle;
  }

  caf::actor_system_config config;
  testing::fake_event_log log;
  metrics numbers;
  manual_clock time;
  /// To be changed before an actor is made.
  std::shared_ptr<actor_context> ports;
  context_ptr context;
  std::optional<caf::actor_system> system;
  std::vector<caf::actor> actors;
};

} // namespace pulse::test
