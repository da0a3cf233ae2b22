// Trainings: each is done on the node with most room, by a trainer of its own. One that is lost with its node is done
// here.
#include <fmt/format.h>

#include "actors/node_agent/node_agent.hpp"
#include "actors/trainer/trainer.hpp"
#include "models/cluster/formats.hpp"
#include "models/cluster/room.hpp"
#include "telemetry/log.hpp"

namespace pulse {

namespace {

/// Trainings give way to scoring: on a busy node they take long.
constexpr auto train_timeout = std::chrono::minutes(15);

training_report report_of(const training_ptr& done) {
  training_report out;
  if (!*done) {
    out.code = static_cast<std::int32_t>(done->err().code);
    out.detail = done->err().detail;
    return out;
  }
  const auto& o = done->value();
  out = {true, 0, "", o.model, static_cast<std::int64_t>(o.rows), o.fraud_model, o.fraud_why, o.drifted, {}, o.next_s};
  for (const auto& c : o.controls)
    out.controls.push_back(slot::encode_control(c));
  return out;
}

training_ptr outcome_of(const training_report& r) {
  if (!r.ok)
    return std::make_shared<result<training_outcome>>(error{static_cast<ec>(r.code), r.detail, ""});
  training_outcome out{r.model, static_cast<std::size_t>(r.rows), r.fraud_model, r.fraud_why, r.drifted, {}, r.next_s};
  for (const auto& text : r.controls) {
    auto control = slot::decode_control(text);
    if (!control)
      return std::make_shared<result<training_outcome>>(control.err());
    out.controls.push_back(std::move(*control));
  }
  return std::make_shared<result<training_outcome>>(std::move(out));
}

} // namespace

/// What a training here may write: what every node reads.
scoring::file_formats node_agent_state::formats() const {
  const bool newest = !part || (view && cluster::all_read(*view, cluster::newest_formats));
  return newest ? scoring::newest_files : scoring::last_files;
}

/// One at a time: a fit takes a core. The others stay due.
void node_agent_state::train_when_free(tenant_id tenant, const std::string& kind) {
  if (std::exchange(training, true))
    return;
  self->request(node_agent_actor(self), train_timeout, train_atom_v, tenant, kind)
      .then([this](const training_ptr&) { training = false; },
            [this, tenant](const caf::error& e) {
              training = false;
              log::warning("training_without_answer", "node_agent", caf::to_string(e), {tenant, {}, ""});
            });
}

caf::result<training_ptr> node_agent_state::train(tenant_id tenant, const std::string& kind) {
  const training_order order{++trainings_ordered, tenant, kind, self->make_response_promise<training_ptr>(), ""};
  std::set<node_id> linked;
  for (const auto& [node, link] : peers)
    linked.insert(node_id{node});
  const auto where = part && view ? cluster::node_with_room(*view, node_id{own_name()}, linked) : node_id{own_name()};
  if (where.value == own_name())
    train_here(order);
  else
    train_there(where, order);
  return order.promise;
}

void node_agent_state::train_here(const training_order& order) {
  self->request(self->spawn<trainer, caf::detached>(context, formats()), train_timeout, train_atom_v, order.tenant,
                order.kind)
      .then([this, order](const training_ptr& done) { trained(order, done); },
            [promise = order.promise](const caf::error& e) mutable { promise.deliver(e); });
}

void node_agent_state::train_there(const node_id& node, const training_order& order) {
  auto& kept = trainings_elsewhere.emplace(order.number, order).first->second;
  kept.node = node.value;
  log::info("training_elsewhere", "node_agent", fmt::format("{} on {}", order.kind, node.value),
            {order.tenant, {}, ""});
  self->request(peers[node.value].to, train_timeout, train_atom_v, order.tenant, order.kind)
      .then(
          [this, order](const training_report& report) {
            if (trainings_elsewhere.erase(order.number) > 0)
              trained(order, outcome_of(report));
          },
          [this, order](const caf::error& e) {
            if (trainings_elsewhere.erase(order.number) == 0)
              return;
            log::warning("training_lost", "node_agent", caf::to_string(e) + "; it is done here",
                         {order.tenant, {}, ""});
            train_here(order);
          });
}

/// The records go to the tenant's partition from the node that was asked.
void node_agent_state::trained(const training_order& order, const training_ptr& done) {
  if (*done)
    for (const auto& control : done->value().controls)
      self->send(node_agent_actor(self), control_atom_v, order.tenant,
                 control_ptr(std::make_shared<const slot::control>(control)));
  auto promise = order.promise;
  promise.deliver(done);
}

/// The link is gone, and the answer with it. A training that is done twice makes the same versions.
void node_agent_state::trainings_lost(const std::string& node) {
  std::vector<training_order> lost;
  std::erase_if(trainings_elsewhere, [&](const auto& t) {
    if (t.second.node == node)
      lost.push_back(t.second);
    return t.second.node == node;
  });
  for (const auto& order : lost) {
    log::warning("training_lost", "node_agent", fmt::format("{} is gone; it is done here", node),
                 {order.tenant, {}, ""});
    train_here(order);
  }
}

caf::result<training_report> node_agent_state::train_for_peer(tenant_id tenant, const std::string& kind) {
  auto promise = self->make_response_promise<training_report>();
  self->request(self->spawn<trainer, caf::detached>(context, formats()), train_timeout, train_atom_v, tenant, kind)
      .then([promise](const training_ptr& done) mutable { promise.deliver(report_of(done)); },
            [promise](const caf::error& e) mutable { promise.deliver(e); });
  return promise;
}

} // namespace pulse
