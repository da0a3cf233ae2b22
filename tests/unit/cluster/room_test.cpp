// Where a piece of work goes that any node can do.
#include <catch2/catch_test_macros.hpp>

#include "models/cluster/room.hpp"

using namespace pulse;
using namespace pulse::cluster;

namespace {

node_row node(const std::string& id, double load, double capacity = 1) {
  node_row n;
  n.id = node_id{id};
  n.load = load;
  n.capacity = capacity;
  return n;
}

const std::set<node_id> linked{node_id{"b"}, node_id{"c"}};

} // namespace

TEST_CASE("work goes to the linked node with the least load for its capacity", "[cluster][f:11.9]") {
  view v;
  v.nodes = {node("a", 50), node("b", 40), node("c", 60, 4), node("d", 0)};
  CHECK(node_with_room(v, node_id{"a"}, linked).value == "c");
}

TEST_CASE("work stays where no other node has less to do", "[cluster][f:11.9]") {
  view v;
  v.nodes = {node("a", 40), node("b", 40), node("c", 60)};
  CHECK(node_with_room(v, node_id{"a"}, linked).value == "a");
  CHECK(node_with_room(v, node_id{"a"}, {}).value == "a");
  CHECK(node_with_room({}, node_id{"a"}, linked).value == "a");
}

TEST_CASE("work does not go to nodes that leave, nor to those that take none", "[cluster][f:11.1]") {
  view v;
  v.nodes = {node("a", 40), node("b", 1), node("c", 2)};
  v.nodes[1].drain_wanted = true;
  v.nodes[2].roles = {"slots", "gateway"};
  CHECK(node_with_room(v, node_id{"a"}, linked).value == "a");
  v.nodes[1].drain_wanted = false;
  v.nodes[1].state = node_state::left;
  CHECK(node_with_room(v, node_id{"a"}, linked).value == "a");
  // One that takes none itself gives its work away.
  v.nodes[2].roles = {"work"};
  v.nodes[0].roles = {"slots"};
  CHECK(node_with_room(v, node_id{"a"}, linked).value == "c");
}
