// `pulse rebuild`: a node that reads its log again and serves nobody.
#include <fmt/format.h>

#include "node/node_parts.hpp"

namespace pulse {

namespace {

/// Raw has to reach back to the generation's beginning. How many records there are.
result<std::int64_t> records_to_read(const event_log& log) {
  std::int64_t all = 0;
  for (int i = 0; i < log.slots(); ++i) {
    const slot_id slot{i};
    if (log.begin(log_topic::raw, slot).value > 0)
      return error{
          ec::conflict,
          fmt::format("slot {} of raw begins at record {}: what was before is gone, so nothing can be rebuilt; "
                      "kafka.trim has to be off from the beginning",
                      i, log.begin(log_topic::raw, slot).value),
          ""};
    all += log.end(log_topic::raw, slot).value;
  }
  return all;
}

} // namespace

result<void> node::read_again(parts& p, std::int64_t all,
                              const std::function<void(std::int64_t, std::int64_t)>& progress) {
  for (std::int64_t read = 0; read < all;) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const auto slots = p.slots();
    if (!slots)
      return slots.err();
    read = 0;
    for (const auto& s : **slots)
      read += s.position.value;
    progress(read, all);
  }
  result<void> out;
  caf::scoped_actor self(*p.system);
  self->request(p.agent, std::chrono::minutes(10), drain_atom_v)
      .receive([] {},
               [&](const caf::error& e) {
                 out = error{ec::internal, "the tenants' state was not stored: " + caf::to_string(e), ""};
               });
  return out;
}

result<postgres::rebuilt_counts> node::rebuild(const loaded_settings& from,
                                               const std::function<void(std::int64_t, std::int64_t)>& progress) {
  auto begun = begin(from);
  if (!begun)
    return begun.err();
  auto p = std::move(*begun);
  p->rebuilding = true;
  for (const auto& step : {&parts::open_stores, &parts::check_log})
    if (auto ok = (p.get()->*step)(); !ok)
      return ok.err();
  const auto all = records_to_read(*p->log);
  if (!all)
    return all.err();
  if (auto ok = postgres::ready_to_rebuild(p->conf.postgres_url, p->log->generation()); !ok)
    return ok.err();
  if (auto ok = p->start_actors(); !ok)
    return ok.err();
  if (p->names)
    if (auto ok = p->join(); !ok)
      return ok.err();
  if (auto ok = read_again(*p, *all, progress); !ok)
    return ok.err();
  if (auto ok = postgres::settle_rebuilt_alerts(p->conf.postgres_url); !ok)
    return ok.err();
  return postgres::count_rebuilt(p->conf.postgres_url, p->log->generation());
}

} // namespace pulse
