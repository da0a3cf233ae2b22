#include "http/handlers/rules_dry_run.hpp"

#include <nlohmann/json.hpp>

#include "http/handlers/problems.hpp"
#include "http/handlers/stored_events.hpp"
#include "models/rules/backtest.hpp"

namespace pulse::http {

namespace {

using json = nlohmann::ordered_json;

constexpr std::int64_t events_max = 20'000;
constexpr std::int64_t page_events = 1'000;
constexpr std::size_t shown_max = 100;

constexpr std::string_view outcomes[] = {"approve", "review", "decline"};

json money_json(const rules::bag& b) {
  auto out = json::array();
  for (const auto& [unit, minor] : b.minor)
    if (const auto c = parse_currency(unit))
      out.push_back({{"amount", money{minor, *c}.amount()}, {"currency", unit}});
  return out;
}

json rule_json(const rules::rule_report& r) {
  auto by_outcome = json::object();
  for (std::size_t i = 0; i < 3; ++i)
    by_outcome[std::string(outcomes[i])] = r.by_outcome[i];
  const auto precision = r.precision();
  const auto interval = r.precision_interval();
  return {{"name", r.name},
          {"state", rules::to_string(r.state)},
          {"hits", r.hits.events},
          {"money", money_json(r.hits)},
          {"snoozed", r.snoozed},
          {"by_outcome", by_outcome},
          {"not_known", r.unknown},
          {"labelled", {{"fraud", r.fraud.events}, {"legitimate", r.legitimate.events}}},
          {"precision", precision ? json(*precision) : json(nullptr)},
          {"precision_interval", {interval.low, interval.high}}};
}

/// All events that would have this outcome, and those of them that have labels.
json outcome_json(const rules::backtest_report& r, std::size_t i) {
  auto all = r.unlabelled[i];
  for (const auto* labelled : {&r.fraud[i], &r.legitimate[i]}) {
    all.events += labelled->events;
    for (const auto& [unit, minor] : labelled->minor)
      all.minor[unit] += minor;
  }
  return {{"events", all.events},
          {"money", money_json(all)},
          {"fraud", r.fraud[i].events},
          {"legitimate", r.legitimate[i].events}};
}

class dry_run {
public:
  explicit dry_run(rules::backtest test) : test_(std::move(test)) {
  }

  /// Error: that of the store.
  result<void> read(query_store& store, tenant_id tenant, query::events_question q) {
    q.oldest_first = true;
    q.limit = page_events;
    while (seen_ < events_max) {
      const auto page = store.events(tenant, q);
      if (!page)
        return page.err();
      for (const auto& row : page->rows)
        add(row);
      if (!page->has_more || page->rows.empty())
        return {};
      q.after = page->rows.back().id.value;
    }
    cut_ = true;
    return {};
  }

  std::string answer(const std::string& id, const rules::compiled_lists* lists) const {
    const auto& r = test_.report();
    json out{{"id", id},
             {"lists", lists == nullptr ? json(nullptr) : json(lists->id())},
             {"events", r.events.events},
             {"cut", cut_},
             {"changed", changed_}};
    const auto share = [](const std::optional<double>& x) {
      return x ? json(*x) : json(nullptr);
    };
    out["precision"] = share(r.precision());
    out["recall"] = share(r.recall());
    auto by_outcome = json::object();
    for (std::size_t i = 0; i < 3; ++i)
      by_outcome[std::string(outcomes[i])] = outcome_json(r, i);
    out["outcomes"] = std::move(by_outcome);
    out["rules"] = json::array();
    for (const auto& rule : r.rules)
      out["rules"].push_back(rule_json(rule));
    out["data"] = shown_;
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
  }

private:
  void add(const stored_event& row) {
    ++seen_;
    const auto decided =
        test_.add_stored(event_of(row), row_of(row), row.label ? std::optional(row.label->fraud) : std::nullopt);
    if (!decided || decided->risk.outcome == row.risk_outcome)
      return;
    ++changed_;
    if (shown_.size() == shown_max)
      return;
    auto parts = json::array();
    for (const auto& p : decided->risk.parts)
      if (p.source == "rule" || p.source == "shadow" || p.source == "snoozed")
        parts.push_back({{"source", p.source}, {"name", p.name}, {"points", p.points}, {"detail", p.detail}});
    shown_.push_back({{"event_id", row.id.str()},
                      {"before", {{"score", row.risk_milli / 1000.0}, {"outcome", row.risk_outcome}}},
                      {"after", {{"score", decided->risk.score}, {"outcome", decided->risk.outcome}}},
                      {"parts", std::move(parts)}});
  }

  rules::backtest test_;
  std::int64_t seen_ = 0;
  std::int64_t changed_ = 0;
  bool cut_ = false;
  json shown_ = json::array();
};

response run(query_store& store, tenant_id tenant, const std::shared_ptr<const rules::rule_set>& set,
             const query::events_question& q) {
  rules::backtest::options o;
  o.rules = set;
  auto lists = lists_in_force(store, tenant);
  if (!lists)
    return response::problem(lists.err());
  o.lists = *lists;
  auto test = rules::backtest::make(std::move(o));
  if (!test)
    return response::problem(test.err());
  dry_run work(std::move(*test));
  if (auto ok = work.read(store, tenant, q); !ok)
    return response::problem(ok.err());
  return response::json(200, work.answer(set->id(), lists->get()));
}

} // namespace

route rules_dry_run_route(const std::shared_ptr<store_pool<query_store>>& stores) {
  route r;
  r.method = "POST";
  r.pattern = "/v1/rules/dry-run";
  r.needed = scope::read;
  r.handle = [stores](request in, responder answer) {
    if (const auto problems = rules::check_rules(in.body); !problems.empty())
      return answer(refused_document("rules", as_notes(problems)));
    const auto question = query::read_events_question(in.query);
    if (const auto* found = std::get_if<query::problems>(&question))
      return answer(refused_question(*found));
    const auto set = rules::rule_set::compile(in.body);
    if (!set)
      return answer(response::problem(set.err()));
    stores->run(std::move(answer), [tenant = in.who.tenant, set = *set, q = std::get<query::events_question>(question)](
                                       query_store& s) { return run(s, tenant, set, q); });
  };
  return r;
}

} // namespace pulse::http
