#include "actors/peer/peer.hpp"

namespace pulse {

peer_state::peer_state(peer_actor::pointer p, std::string r, node_root_actor a, connector_actor c) :
  self(p), run(std::move(r)), agent(std::move(a)), connector(std::move(c)) {
}

std::string peer_state::hello(const std::string& node, const std::string& from_run, const caf::strong_actor_ptr& from,
                              std::int32_t wire) {
  if (from)
    self->send(connector, hello_atom_v, node, from_run, from, wire);
  return run;
}

peer_actor::behavior_type peer_state::make_behavior() {
  return {
      [this](hello_atom, const std::string&, const std::string&, const caf::strong_actor_ptr&) { return run; },
      [this](hello_atom, const std::string& node, const std::string& from_run, const caf::strong_actor_ptr& from,
             std::int32_t wire) { return hello(node, from_run, from, wire); },
      [this](wake_atom) { self->send(agent, wake_atom_v); },
      [this](lend_atom, lend_request what) -> caf::result<lend_answer> {
        what.handed_on = true;
        return self->delegate(agent, lend_atom_v, what);
      },
      [this](settle_atom, settle_note what) {
        what.handed_on = true;
        self->send(agent, settle_atom_v, what);
      },
      [this](attend_atom, const attend_note& what) -> caf::result<void> {
        return self->delegate(agent, attend_atom_v, what);
      },
      [this](host_atom, const ingestion_order& order) -> caf::result<ingestion_actor> {
        return self->delegate(agent, host_atom_v, order);
      },
      [this](train_atom, tenant_id tenant, const std::string& kind) -> caf::result<training_report> {
        return self->delegate(agent, host_atom_v, tenant, kind);
      },
      [this](score_atom, score_order order) -> caf::result<score_report> {
        order.handed_on = true;
        return self->delegate(agent, score_atom_v, std::move(order));
      },
      [this](census_atom) -> caf::result<std::vector<cluster::census>> {
        return self->delegate(agent, census_atom_v, false);
      },
  };
}

} // namespace pulse
