// Which formats of files may be written while nodes of an older program are, or were, beside.
#include <catch2/catch_test_macros.hpp>

#include "models/cluster/formats.hpp"

using namespace pulse;
using namespace pulse::cluster;

namespace {

constexpr std::int64_t now = 1'790'000'000'000;

node_row node(std::int32_t formats, std::int64_t heartbeat, std::int64_t older_until = 0) {
  node_row n;
  n.formats = formats;
  n.heartbeat = time_ms{heartbeat};
  n.older_until = time_ms{older_until};
  return n;
}

view of(std::vector<node_row> nodes) {
  view v;
  v.now = time_ms{now};
  v.nodes = std::move(nodes);
  return v;
}

} // namespace

TEST_CASE("the newest formats are written where every node reads them, from the first moment on",
          "[cluster][f:11.10]") {
  CHECK(all_read(of({node(2, now), node(2, now)}), 2));
  CHECK(all_read(of({}), 2));
}

TEST_CASE("they are not written while an older node runs, nor for a day after it was last heard of",
          "[cluster][f:11.10]") {
  CHECK_FALSE(all_read(of({node(2, now), node(1, now - 100)}), 2));
  // It ran until then, and another program runs in its place.
  CHECK_FALSE(all_read(of({node(2, now, now - formats_soak_ms)}), 2));
  CHECK(all_read(of({node(2, now, now - formats_soak_ms - 1)}), 2));
  // It never came back.
  CHECK_FALSE(all_read(of({node(2, now), node(1, now - formats_soak_ms)}), 2));
  CHECK(all_read(of({node(2, now), node(1, now - formats_soak_ms - 1)}), 2));
}
