#include "http/handlers/mapping_dry_run.hpp"

#include "base/json_text.hpp"
#include "http/handlers/problems.hpp"
#include "http/handlers/stored_events.hpp"
#include "models/enrichment/mapping_preview.hpp"
#include "models/event/event_json.hpp"

namespace pulse::http {

namespace {

std::string change_json(const mapping_change& c) {
  json_object o;
  o.text("op", c.op).text("pointer", c.pointer);
  return std::move(
             o.raw("before", c.before.empty() ? "null" : c.before).raw("after", c.after.empty() ? "null" : c.after))
      .done();
}

response dry_run(query_store& store, tenant_id tenant, const compiled_mapping& mapping,
                 const query::events_question& question) {
  const auto page = store.events(tenant, question);
  if (!page)
    return response::problem(page.err());
  std::string data;
  std::size_t changed = 0;
  for (const auto& row : page->rows) {
    const auto seen = preview_mapping(mapping, event_of(row), row.amount ? row.amount->unit : currency{});
    changed += seen.changes.empty() ? 0 : 1;
    if (seen.changes.empty() && seen.warnings.empty())
      continue;
    std::string changes;
    for (const auto& c : seen.changes)
      changes += (changes.empty() ? "" : ",") + change_json(c);
    json_object o;
    o.text("id", row.id.str()).text("name", row.name).raw("changes", "[" + changes + "]");
    data += (data.empty() ? "" : ",") + std::move(o.raw("warnings", notes_json(seen.warnings))).done();
  }
  json_object o;
  o.text("mapping", mapping.id()).number("events", page->rows.size()).number("changed", changed);
  return response::json(200, std::move(o.raw("data", "[" + data + "]")).done());
}

} // namespace

route mapping_dry_run_route(const std::shared_ptr<store_pool<query_store>>& stores) {
  route r;
  r.method = "POST";
  r.pattern = "/v1/mappings/dry-run";
  r.needed = scope::read;
  r.handle = [stores](request in, responder answer) {
    if (const auto problems = check_mapping(in.body); !problems.empty())
      return answer(refused_document("mapping", problems));
    const auto question = query::read_events_question(in.query);
    if (const auto* found = std::get_if<query::problems>(&question))
      return answer(refused_question(*found));
    const auto mapping = compiled_mapping::compile(in.body);
    if (!mapping)
      return answer(response::problem(mapping.err()));
    stores->run(std::move(answer),
                [tenant = in.who.tenant, mapping = *mapping, q = std::get<query::events_question>(question)](
                    query_store& s) { return dry_run(s, tenant, *mapping, q); });
  };
  return r;
}

} // namespace pulse::http
