// The whole table of routes as the node makes it, against the published description, both ways.
#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>

#include "base/worker_pool.hpp"
#include "http/handlers/openapi.hpp"
#include "node/routes.hpp"
#include "tests/support/fake_key_directory.hpp"

using namespace pulse;

TEST_CASE("every public route is described, and every described route is there", "[http][openapi][f:1.11]") {
  caf::core::init_global_meta_objects();
  caf::init_global_meta_objects<caf::id_block::pulse>();
  caf::init_global_meta_objects<caf::id_block::pulse_handles>();
  caf::init_global_meta_objects<caf::id_block::pulse_cluster>();
  caf::init_global_meta_objects<caf::id_block::pulse_lend>();
  caf::actor_system_config config;
  caf::actor_system system{config};
  settings conf;
  worker_pool workers(1, 1);
  metrics numbers;
  test::fake_key_directory directory;
  const auto gate = std::make_shared<http::key_gate>(directory, system_clock(), http::key_gate::config{});
  const route_parts parts{
      conf, "test", workers, system, node_root_actor{}, numbers, gate, []() -> result<void> { return {}; }, {}, {}, {}};
  const auto table = make_routes(parts);
  for (const auto& difference : http::compare_with_openapi(table.gateway))
    FAIL_CHECK(difference);
}
