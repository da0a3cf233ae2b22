// The history that models are fitted on, of events that were scored with more features and with fewer.
#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <fmt/format.h>

#include "models/features/features.hpp"
#include "postgres/control_store.hpp"
#include "tests/integration/support/query_world.hpp"

using namespace pulse;

TEST_CASE("the first columns are read of wider rows, and what a narrower one lacks is missing", "[models][f:11.10]") {
  test::query_world w(5, 20);
  postgres::pg_control_store store(w.db.url(), "test");
  // Ones, in so many columns: 40, or the basic ones alone.
  const auto ones = [](std::size_t n) {
    return fmt::format("decode(repeat('0000803f', {}), 'hex')", n);
  };
  w.db.sql(fmt::format("UPDATE event SET features = CASE WHEN event_id = (SELECT min(event_id::text)::uuid FROM event "
                       "WHERE tenant_id = {0} AND NOT test) THEN {1} ELSE {2} END WHERE tenant_id = {0}",
                       w.a.value, ones(40), ones(features::base_count)));
  const auto counted = w.db.one(fmt::format("SELECT count(*) FROM event WHERE tenant_id = {} AND NOT test", w.a.value));
  constexpr std::size_t columns = 20;
  const auto h = store.history(w.a, columns, 1000);
  REQUIRE(h.ok());
  REQUIRE(std::to_string(h->rows()) == counted);
  REQUIRE(h->values.size() == h->rows() * columns);
  for (std::size_t row = 0; row < h->rows(); ++row)
    for (std::size_t j = 0; j < columns; ++j)
      CHECK((row == 0 || j < features::base_count ? h->values[row * columns + j] == 1
                                                  : std::isnan(h->values[row * columns + j])));
  // None has fewer than the basic ones.
  w.db.sql(fmt::format("UPDATE event SET features = {} WHERE tenant_id = {}", ones(3), w.a.value));
  CHECK(store.history(w.a, columns, 1000)->rows() == 0);
}
